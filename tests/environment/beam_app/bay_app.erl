%% The application and its supervisor.
-module(bay_app).
-behaviour(application).
-behaviour(supervisor).
-export([start/2, stop/1, init/1]).

start(_Type, _Arguments) -> supervisor:start_link({local, bay_sup}, ?MODULE, []).

stop(_State) -> ok.

init([]) -> {ok, {#{}, [#{id => bay_counter, start => {bay_counter, start_link, []}}]}}.
