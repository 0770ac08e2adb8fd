"""What Python scripts of modules import as `agent`, on devices that have no NethServer agent.

The portal brings this package to a device for the length of an update, first on PYTHONPATH behind the module's own. It needs
Python 3.6 and nothing else. Names, arguments and exit statuses are those that modules know; what belongs to a cluster
(its Redis, tasks of other agents) is not here, and says so when it is asked for.

    set_env, unset_env, mset_env    the variable is in the instance's environment file when the call returns
    set_status, set_progress, ...   reports to whoever started the script
"""

from agent.environment import mset_env, read_envfile, set_env, unset_env, write_envfile
from agent.helper import assert_exp, get_progress_callback, run_helper, slurp_file
from agent.images import get_image_name_from_url
from agent.reports import (
    SD_ALERT,
    SD_CRIT,
    SD_DEBUG,
    SD_EMERG,
    SD_ERR,
    SD_INFO,
    SD_NOTICE,
    SD_WARNING,
    dump_env,
    set_progress,
    set_status,
    set_weight,
)

__all__ = [
    "SD_ALERT",
    "SD_CRIT",
    "SD_DEBUG",
    "SD_EMERG",
    "SD_ERR",
    "SD_INFO",
    "SD_NOTICE",
    "SD_WARNING",
    "assert_exp",
    "dump_env",
    "get_image_name_from_url",
    "get_progress_callback",
    "mset_env",
    "read_envfile",
    "run_helper",
    "set_env",
    "set_progress",
    "set_status",
    "set_weight",
    "slurp_file",
    "unset_env",
    "write_envfile",
]


def __getattr__(name):  # type: ignore[no-untyped-def] # asked by Python 3.7 and later
    raise AttributeError(
        f"agent.{name} is not available: this device belongs to no NethServer cluster"
    )
