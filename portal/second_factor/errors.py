"""What can go wrong with a second factor.

Refused
 |- WrongCode            not a code of this moment, or one that was used before
 |- TooManyCodes         too many wrong ones: wait
 |- NotPermitted
     |- SecondFactorNeeded   logged in with a password alone
"""

from __future__ import annotations

from portal.core.errors import NotPermitted, Refused


class WrongCode(Refused):
    code = "SIGN-100"


class TooManyCodes(Refused):
    code = "SIGN-101"
    retryable = True


class SecondFactorNeeded(NotPermitted):
    code = "SIGN-102"
