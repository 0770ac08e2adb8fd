%% Answers with its version; `linger` gives a process that stays in the code it was started in, as long as it lives.
-module(bay_greeting).
-export([answer/0, linger/0, linger_with/1, fun_of_mine/0]).

-ifndef(V).
-define(V, 1).
-endif.

answer() -> ?V.

linger() -> spawn(fun() -> stay() end).

linger_with(Name) ->
    Pid = linger(),
    register(Name, Pid),
    Pid.

stay() ->
    receive
        {Asker, version} -> Asker ! {version, ?V}, stay();
        leave -> ok
    end.

fun_of_mine() -> fun() -> ?V end.
