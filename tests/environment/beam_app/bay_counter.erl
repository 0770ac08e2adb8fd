%% A server that holds state: it counts in steps of its code's version.
-module(bay_counter).
-behaviour(gen_server).
-export([start_link/0, bump/0, count/0, step/0, init/1, handle_call/3, handle_cast/2]).

-ifndef(V).
-define(V, 1).
-endif.

start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

bump() -> gen_server:call(?MODULE, bump).

count() -> gen_server:call(?MODULE, count).

step() -> ?V.

init([]) -> {ok, 0}.

handle_call(bump, _From, Count) -> {reply, Count + ?V, Count + ?V};
handle_call(count, _From, Count) -> {reply, Count, Count}.

handle_cast(_Request, Count) -> {noreply, Count}.
