%% The node's side of a hot patch: pushed into the node by the portal, and called there. It needs kernel and stdlib only.
%%
%% run/2 answers within the time it is given, whatever the code of a patch does. Nothing here purges a module that a process
%% still runs, and nothing waits for another node.
-module(fleetwright_hot_patch).

-export([version/0, run/2]).

-include_lib("kernel/include/file.hrl").

-define(ERROR, 1).
-define(NOT_BEAM, 2).
-define(WRONG_PATH, 3).
-define(NOT_UPDATED, 4).
-define(NOT_CHANGED, 5).
-define(OK, 6).
-define(NOT_LOADED, 7).
-define(ASSEMBLY, 0).

-define(LARGEST_CODE, (64 * 1024 * 1024)).
-define(SYMLINKS, 40).
%% A process that does not answer for so long may be in old code: it counts as such.
-define(COUNT_MS, 3000).
-define(POLL_MS, 10).
-define(SPARE_MS, 1000).
-define(AT_ONCE, 16).

%% The applications of Erlang/OTP and of Elixir: what of them lies where the runtime keeps its own is a system library.
-define(OTP, [
    "asn1", "common_test", "compiler", "crypto", "debugger", "dialyzer", "diameter", "edoc", "eldap", "erl_docgen",
    "erl_interface", "erts", "et", "eunit", "ftp", "inets", "jinterface", "kernel", "megaco", "mnesia", "observer", "odbc",
    "os_mon", "parsetools", "public_key", "reltool", "runtime_tools", "sasl", "snmp", "ssh", "ssl", "stdlib", "syntax_tools",
    "tftp", "tools", "wx", "xmerl"
]).
-define(ELIXIR, ["eex", "elixir", "ex_unit", "iex", "logger", "mix"]).

-record(here, {
    root :: binary(),
    real_root :: binary(),
    code_dirs :: #{term() => [string()]},
    system_dirs :: #{term() => true},
    until :: integer(),
    on_load_ms :: integer()
}).

-record(row, {
    path :: binary(),
    change = none :: binary() | removed | none,
    mode = 8#644 :: integer(),
    full = <<>> :: binary(),
    name = <<>> :: binary(),
    module :: atom(),
    file = "" :: string(),
    code = <<>> :: binary(),
    md5 = none :: binary() | none,
    before = none :: binary() | none,
    %% What is to be done: nothing, write, load, load_singly, unload
    plan = nothing :: nothing | write | load | load_singly | unload,
    status = ?ASSEMBLY :: integer(),
    reason = none :: atom(),
    info = <<>> :: iodata(),
    lingering = 0 :: integer(),
    staged = none :: binary() | none,
    written = false :: boolean()
}).

%% The digest of this file, by which the portal sees whether the node has the module it means.
version() ->
    <<?VERSION>>.

%% A request that lay before a node which was frozen, until nobody waited for it any more, is not carried out.
run(Operation, Request) ->
    case erlang:system_time(millisecond) > maps:get(deadline, Request, infinity) of
        true -> timed_out;
        false -> run_now(Operation, Request)
    end.

run_now(Operation, Request) ->
    Until = now_ms() + maps:get(milliseconds, Request),
    {Pid, Monitor} = spawn_monitor(fun() -> exit({?MODULE, answer(Operation, Request, Until)}) end),
    receive
        {'DOWN', Monitor, process, Pid, {?MODULE, Answer}} -> Answer;
        {'DOWN', Monitor, process, Pid, Reason} -> {failed, text(Reason)}
    after max(Until - now_ms(), 0) ->
        exit(Pid, kill),
        receive
            {'DOWN', Monitor, process, Pid, {?MODULE, Answer}} ->
                Answer;
            {'DOWN', Monitor, process, Pid, _} ->
                Operation =:= apply andalso sweep(Request),
                timed_out
        end
    end.

%% Nothing is left beside the files, unless the disk itself hangs.
sweep(#{files := Files} = Request) ->
    {Pid, Monitor} = spawn_monitor(fun() -> [file:delete(beside(full(Path, Request))) || {Path, _, _} <- Files] end),
    receive
        {'DOWN', Monitor, process, Pid, _} -> ok
    after ?SPARE_MS -> ok
    end.

answer(Operation, Request, Until) ->
    try
        Here = here(Request, Until),
        {Rows, Count} = operate(Operation, Request, Here),
        {ok, runtime(), vsn(maps:get(application, Request)), Count, Rows}
    catch
        throw:{answer, Answer} -> Answer;
        _:Reason:Stack -> {failed, text({Reason, [{M, F, arity(A)} || {M, F, A, _} <- Stack]})}
    end.

operate(inspect, #{paths := Paths}, Here) ->
    Rows = [locate(#row{path = Path}, Here) || Path <- Paths],
    {[looked(Row, Here) || Row <- Rows, is_module(Row, Here)], module_count(Here)};
operate(check, #{files := Files}, Here) ->
    Rows = validate(judge(Files, Here)),
    {[told(Row#row{written = false}, would_be(Row)) || Row <- Rows], module_count(Here)};
operate(keep, #{paths := Paths}, Here) ->
    {[kept(locate(#row{path = Path}, Here), Here) || Path <- Paths], 0};
operate(apply, #{files := Files, upgrade := Upgrade, fence := Fence}, Here) ->
    take_fence(Upgrade, Fence, Here),
    Applied = locked(fleetwright_hot_patch_apply, Here, fun() ->
        demand_fence(Upgrade, Fence),
        put_in_place(Files, Here)
    end),
    {[told(Row, loaded_md5(Row#row.module)) || Row <- Applied], 0}.

%% ---- whose turn it is

take_fence(Upgrade, Fence, Here) ->
    locked(fleetwright_hot_patch_fence, Here, fun() ->
        demand_fence(Upgrade, Fence),
        application:set_env(?MODULE, fences, (fences())#{Upgrade => Fence})
    end).

demand_fence(Upgrade, Fence) ->
    case maps:get(Upgrade, fences(), Fence) of
        Seen when Seen > Fence -> throw({answer, stale});
        _ -> ok
    end.

fences() ->
    application:get_env(?MODULE, fences, #{}).

%% A registered name is a lock that its holder cannot forget to give back, even when it is killed.
locked(Name, #here{until = Until} = Here, Fun) ->
    try register(Name, self()) of
        true ->
            try
                Fun()
            after
                unregister(Name)
            end
    catch
        error:badarg ->
            now_ms() + ?SPARE_MS < Until orelse throw({answer, timed_out}),
            timer:sleep(?POLL_MS),
            locked(Name, Here, Fun)
    end.

%% ---- what is there

looked(#row{module = Module} = Row, Here) ->
    Md5 = loaded_md5(Module),
    {Row#row.path, Row#row.name, Md5 =/= none, hex(Md5), hex(disk_md5(Row)), is_system(Row, Here), lingering(Module)}.

kept(#row{reason = none} = Row, Here) ->
    Loaded = loaded_md5(Row#row.module),
    case read(Row#row.full) of
        {ok, Bytes, Mode} ->
            Differs = Loaded =/= none andalso is_module(Row, Here) andalso md5(Bytes) =/= Loaded,
            {Row#row.path, Row#row.name, Bytes, Mode, hex(Loaded), kept_reason(Differs), <<>>};
        {error, enoent} ->
            {Row#row.path, Row#row.name, none, Row#row.mode, hex(Loaded), kept_reason(Loaded =/= none), <<>>};
        {error, Reason} ->
            {Row#row.path, Row#row.name, none, Row#row.mode, hex(Loaded), unreadable, text(Reason)}
    end;
kept(Row, _Here) ->
    {Row#row.path, Row#row.name, none, Row#row.mode, <<>>, Row#row.reason, iolist_to_binary(Row#row.info)}.

kept_reason(true) -> loaded_differs;
kept_reason(false) -> none.

%% The runtime's own libraries, which lie below the root of a release, are not the system's.
module_count(#here{real_root = Root, code_dirs = Dirs, system_dirs = System}) ->
    lists:sum([
        length([Name || Name <- names(Dir), filename:extension(Name) =:= ".beam"])
     || {Id, [Dir]} <- maps:to_list(Dirs), not maps:is_key(Id, System), is_below(Root, real(raw(Dir)))
    ]).

names(Dir) ->
    case file:list_dir(Dir) of
        {ok, Names} -> Names;
        {error, _} -> []
    end.

%% ---- what would become of each file

judge(Files, Here) ->
    [judge_one(locate(#row{path = Path, change = Change, mode = Mode}, Here), Here) || {Path, Change, Mode} <- Files].

judge_one(#row{reason = none} = Row, Here) ->
    try
        not is_dir_or_special(Row) orelse throw({?ERROR, not_a_file, <<>>}),
        case {is_module(Row, Here), Row#row.change} of
            {false, _} -> assembly(Row);
            {true, removed} -> removal(Row, Here);
            {true, _} -> module(Row, Here)
        end
    catch
        throw:{Status, Reason, Info} when is_integer(Status) -> refuse(Row, Status, Reason, Info)
    end;
judge_one(Row, _Here) ->
    Row.

assembly(#row{change = removed} = Row) ->
    case exists(Row) of
        true -> Row#row{plan = write, reason = removable};
        false -> Row#row{reason = absent, written = true}
    end;
assembly(Row) ->
    case same_on_disk(Row) of
        true -> Row#row{reason = same_bytes, written = true};
        false -> Row#row{plan = write, reason = writable}
    end.

removal(Row, Here) ->
    not is_system(Row, Here) orelse throw({?ERROR, system_library, <<>>}),
    case {loaded_md5(Row#row.module), exists(Row)} of
        {none, false} ->
            Row#row{status = ?NOT_CHANGED, reason = absent, written = true};
        {none, true} ->
            Row#row{status = ?NOT_LOADED, reason = removable, plan = write};
        {Md5, _} ->
            demand_path(Row, Here),
            Row#row{status = ?OK, reason = removable, plan = unload, before = Md5}
    end.

module(#row{change = Bytes} = Row, Here) ->
    Code = inflated(Bytes),
    Name = module_name(Code),
    Name =:= Row#row.name orelse throw({?WRONG_PATH, name_mismatch, Name}),
    Named = Row#row{module = atom(Name), code = Code},
    not is_system(Named, Here) orelse throw({?ERROR, system_library, <<>>}),
    demand_path(Named, Here),
    Md5 = code:module_md5(Code),
    is_binary(Md5) orelse throw({?ERROR, newer_runtime, <<>>}),
    Loaded = loaded_md5(Named#row.module),
    Known = Named#row{md5 = Md5, before = Loaded, file = file_to_load(Named)},
    case Loaded of
        Md5 -> unchanged(Known);
        none -> Known#row{status = ?NOT_LOADED, reason = not_loaded, info = mode_info(), plan = write};
        _ -> Known#row{status = ?OK, reason = loadable, plan = load}
    end.

unchanged(Row) ->
    case same_on_disk(Row) of
        true -> Row#row{status = ?NOT_CHANGED, reason = same_code, written = true};
        false -> Row#row{status = ?NOT_CHANGED, reason = same_code, plan = write}
    end.

mode_info() ->
    case code:get_mode() of
        embedded -> <<"embedded">>;
        _ -> <<>>
    end.

%% The node's own loader looks at all new code, and loads nothing. Each module is prepared once.
validate(Rows) ->
    validate(Rows, fun(_) -> ok end).

validate(Rows, Keep) ->
    Counted = [count_lingering(Row) || Row <- Rows],
    {Loadable, Prepared} = prepare([Row || #row{plan = load} = Row <- Counted]),
    {Others, _} = prepare([Row || #row{plan = write, status = Status} = Row <- Counted, needs_validation(Status)]),
    Keep(Prepared),
    merge(Counted, Loadable ++ Others).

needs_validation(Status) -> Status =:= ?NOT_LOADED orelse Status =:= ?NOT_UPDATED.

count_lingering(#row{plan = Plan, module = Module} = Row) when Plan =:= load; Plan =:= unload ->
    case lingering(Module) of
        0 -> Row;
        Count -> lingers(Row, Count)
    end;
count_lingering(Row) ->
    Row.

lingers(#row{plan = unload} = Row, Count) ->
    Row#row{status = ?NOT_UPDATED, reason = lingering, lingering = Count};
lingers(Row, Count) ->
    Row#row{status = ?NOT_UPDATED, reason = lingering, lingering = Count, plan = write}.

%% {Rows as they are judged now, {what finish_loading takes, the modules in it}}
prepare(Rows) ->
    Offered = [Row || #row{change = Change} = Row <- Rows, is_binary(Change)],
    prepare([Row || #row{plan = Plan} = Row <- Offered, Plan =/= nothing, Plan =/= load_singly], Rows).

prepare([], Rows) ->
    {Rows, {none, []}};
prepare(Left, Rows) ->
    case code:prepare_loading([{Row#row.module, Row#row.file, Row#row.code} || Row <- Left]) of
        {ok, Prepared} ->
            {Rows, {Prepared, modules(Left)}};
        {error, Offenders} ->
            Judged = [unprepared(Row, Offenders) || Row <- Rows],
            prepare([Row || Row <- Left, not lists:keymember(Row#row.module, 1, Offenders)], Judged)
    end.

unprepared(#row{module = Module} = Row, Offenders) ->
    case lists:keyfind(Module, 1, Offenders) of
        false -> Row;
        {_, on_load_not_allowed} -> prepared_singly(Row);
        {_, sticky_directory} -> refuse(Row, ?ERROR, system_library, <<>>);
        {_, badfile} -> refuse(Row, ?ERROR, newer_runtime, <<>>);
        {_, Reason} -> refuse(Row, ?ERROR, load_refused, text(Reason))
    end.

prepared_singly(Row) ->
    case erlang:prepare_loading(Row#row.module, Row#row.code) of
        {error, _} -> refuse(Row, ?ERROR, newer_runtime, <<>>);
        _ when Row#row.plan =:= load -> Row#row{plan = load_singly};
        _ -> Row
    end.

refuse(Row, Status, Reason, Info) ->
    Row#row{status = Status, reason = Reason, info = Info, plan = nothing}.

merge(Rows, Judged) ->
    Paths = maps:from_list([{Row#row.path, Row} || Row <- Judged]),
    [maps:get(Row#row.path, Paths, Row) || Row <- Rows].

%% ---- apply

put_in_place(Files, Here) ->
    Rows = validate(judge(Files, Here), fun(Prepared) -> put(prepared, Prepared) end),
    Staged = at_once(fun stage/1, Rows, []),
    try
        %% What new code calls must be there before it, what it calls no more goes after it.
        Ahead = [settle_if(goes_ahead(Row), Row) || Row <- Staged],
        Loaded = load(Ahead),
        Verified = [verify(load_singly(Row, Here)) || Row <- Loaded],
        Settled = [settle_if(Row#row.change =/= removed, Row) || Row <- Verified],
        Finished = [settle(Row) || Row <- Settled],
        sync_dirs(Finished),
        [look_again(Row) || Row <- Finished]
    after
        [file:delete(Beside) || #row{staged = Beside} <- Staged, Beside =/= none]
    end.

%% Waiting for the disk takes most of the time of an apply: some files wait together. Who is ended takes the others along.
at_once(_Fun, [], Done) ->
    lists:append(lists:reverse(Done));
at_once(Fun, Rows, Done) ->
    {Now, Later} = lists:split(min(?AT_ONCE, length(Rows)), Rows),
    Self = self(),
    Begun = [{spawn_link(fun() -> Self ! {self(), Fun(Row)} end)} || Row <- Now],
    Results = [
        receive
            {Pid, Result} -> Result
        end
     || {Pid} <- Begun
    ],
    at_once(Fun, Later, [Results | Done]).

stage(#row{plan = Plan, change = Bytes} = Row) when Plan =/= nothing, is_binary(Bytes) ->
    Beside = beside(Row#row.full),
    case write(Beside, Bytes, Row#row.mode) of
        ok ->
            Row#row{staged = Beside};
        {error, Reason} ->
            _ = file:delete(Beside),
            refuse(Row, ?ERROR, write_failed, text(Reason))
    end;
stage(Row) ->
    Row.

write(Path, Bytes, Mode) ->
    _ = file:delete(Path),
    _ = filelib:ensure_dir(Path),
    case file:open(Path, [write, raw, binary, exclusive]) of
        {ok, Device} ->
            Steps = [
                fun() -> file:write(Device, Bytes) end,
                fun() -> file:sync(Device) end,
                fun() -> file:close(Device) end,
                fun() -> file:change_mode(Path, Mode) end
            ],
            first_error(Steps, ok);
        {error, _} = Error ->
            Error
    end.

first_error([Step | Steps], ok) -> first_error(Steps, Step());
first_error(_, Result) -> Result.

load(Rows) ->
    Ready = [Row || #row{plan = load} = Row <- Rows],
    Purged = [purged(Row) || Row <- Ready],
    finish(merge(Rows, Purged), erase(prepared)).

%% Who has left the old code in the meantime loses nothing; who has not, keeps it.
purged(#row{module = Module} = Row) ->
    case not erlang:check_old_code(Module) orelse code:soft_purge(Module) of
        true -> Row;
        false -> lingers(Row, max(1, lingering(Module)))
    end.

%% What was prepared is loaded at once or not at all: where one had to be left out, the others are prepared again.
finish(Rows, {Prepared, Modules}) ->
    Ready = [Row || #row{plan = load} = Row <- Rows],
    case modules(Ready) of
        [] ->
            Rows;
        Modules ->
            finish_prepared(Rows, Ready, Prepared);
        _ ->
            {Judged, Again} = prepare(Ready),
            finish(merge(Rows, Judged), Again)
    end.

modules(Rows) ->
    lists:sort([Row#row.module || Row <- Rows]).

finish_prepared(Rows, Ready, Prepared) ->
    case code:finish_loading(Prepared) of
        ok ->
            merge(Rows, [Row#row{reason = loaded} || Row <- Ready]);
        {error, Offenders} ->
            finish(merge(Rows, [unfinished(Row, Offenders) || Row <- Ready]), {none, []})
    end.

unfinished(#row{module = Module} = Row, Offenders) ->
    case lists:keyfind(Module, 1, Offenders) of
        false -> Row;
        {_, not_purged} -> lingers(Row, max(1, lingering(Module)));
        _ -> unprepared(Row, Offenders)
    end.

%% A module that runs code of its own when it is loaded is loaded alone, and is not waited for longer than it may take.
load_singly(#row{plan = load_singly} = Row, Here) ->
    Limit = min(Here#here.on_load_ms, Here#here.until - now_ms() - 3 * ?SPARE_MS),
    case purged(Row) of
        #row{plan = write} = Lingers -> Lingers;
        _ when Limit =< 0 -> refuse(Row, ?NOT_UPDATED, load_timed_out, <<>>);
        _ -> load_within(Limit, Row)
    end;
load_singly(Row, _Here) ->
    Row.

load_within(Limit, #row{module = Module, file = File, code = Code} = Row) ->
    Waiting = on_load_processes(),
    {Pid, Monitor} = spawn_monitor(fun() -> exit({?MODULE, code:load_binary(Module, File, Code)}) end),
    receive
        {'DOWN', Monitor, process, Pid, {?MODULE, {module, Module}}} ->
            Row#row{reason = loaded};
        {'DOWN', Monitor, process, Pid, {?MODULE, {error, on_load_failure}}} ->
            refuse(Row, ?NOT_UPDATED, load_failed, <<>>);
        {'DOWN', Monitor, process, Pid, {?MODULE, {error, Reason}}} ->
            refuse(Row, ?ERROR, load_refused, text(Reason));
        {'DOWN', Monitor, process, Pid, Reason} ->
            refuse(Row, ?ERROR, load_refused, text(Reason))
    after Limit ->
        end_on_load(on_load_processes() -- Waiting, Row),
        exit(Pid, kill),
        receive
            {'DOWN', Monitor, process, Pid, _} -> ok
        end,
        refuse(Row, ?NOT_UPDATED, load_timed_out, <<>>)
    end.

%% The code server waits for ever for what runs at a load, and takes no later load of that module before it has ended.
end_on_load([Pid], _Row) ->
    end_and_wait(Pid);
end_on_load(Pids, #row{name = Name}) ->
    [end_and_wait(Pid) || Pid <- Pids, runs(Pid, Name)].

end_and_wait(Pid) ->
    Monitor = monitor(process, Pid),
    exit(Pid, kill),
    receive
        {'DOWN', Monitor, process, Pid, _} -> ok
    after ?SPARE_MS -> ok
    end.

runs(Pid, Name) ->
    case process_info(Pid, backtrace) of
        {backtrace, Text} -> binary:match(Text, Name) =/= nomatch;
        undefined -> false
    end.

on_load_processes() ->
    {monitors, Monitored} = process_info(whereis(code_server), monitors),
    [Pid || {process, Pid} <- Monitored, is_pid(Pid)].

%% What was loaded is asked for again: only its own word counts.
verify(#row{reason = loaded, module = Module, md5 = Md5} = Row) ->
    case loaded_md5(Module) of
        Md5 -> Row;
        Other -> refuse(Row, ?ERROR, verify_failed, hex(Other))
    end;
verify(Row) ->
    Row.

%% Files of which nothing runs.
goes_ahead(#row{plan = Plan, change = Change, status = Status}) ->
    Plan =:= write andalso is_binary(Change) andalso Status =/= ?NOT_UPDATED.

settle_if(true, Row) -> settle(Row);
settle_if(false, Row) -> Row.

settle(#row{plan = nothing} = Row) ->
    Row;
settle(#row{change = removed, plan = Plan} = Row) ->
    case file:delete(Row#row.full) of
        Done when Done =:= ok; Done =:= {error, enoent} ->
            Gone = Row#row{written = true},
            case Plan of
                unload -> unload(Gone);
                write -> Gone#row{reason = removed, plan = nothing}
            end;
        {error, Reason} ->
            refuse(Row, ?ERROR, write_failed, text(Reason))
    end;
settle(#row{staged = Beside, full = Full} = Row) ->
    Previous = file:read_file(Full),
    case file:rename(Beside, Full) of
        ok when Row#row.reason =:= writable -> Row#row{written = true, plan = nothing, reason = written};
        ok -> Row#row{written = true, plan = nothing};
        {error, Reason} -> take_back(Row, Previous, Reason)
    end.

unload(#row{module = Module} = Row) ->
    case purged(Row) of
        #row{status = ?NOT_UPDATED} = Lingers ->
            Lingers;
        _ ->
            code:delete(Module),
            case purged(Row) of
                #row{status = ?NOT_UPDATED} = Lingers -> Lingers;
                _ -> Row#row{status = ?OK, reason = removed}
            end
    end.

%% The new code runs, but its file cannot be put there: the previous code comes back, so that a restart changes nothing.
take_back(#row{reason = loaded, module = Module, file = File, before = Before} = Row, {ok, Previous}, Reason) ->
    Undone =
        md5(Previous) =:= Before andalso code:soft_purge(Module) andalso
            code:atomic_load([{Module, File, inflated(Previous)}]) =:= ok,
    case Undone of
        true -> refuse(Row, ?ERROR, write_failed, text(Reason));
        false -> refuse(Row, ?ERROR, memory_only, text(Reason))
    end;
take_back(Row, _Previous, Reason) ->
    refuse(Row, ?ERROR, write_failed, text(Reason)).

sync_dirs(Rows) ->
    [sync_dir(Dir) || Dir <- lists:usort([filename:dirname(Row#row.full) || #row{written = true} = Row <- Rows])].

sync_dir(Dir) ->
    case file:open(Dir, [read, raw, directory]) of
        {ok, Device} ->
            _ = file:sync(Device),
            file:close(Device);
        {error, _} ->
            ok
    end.

look_again(#row{reason = loaded, module = Module} = Row) ->
    Row#row{lingering = lingering(Module)};
look_again(#row{reason = not_loaded, module = Module, md5 = Md5} = Row) ->
    %% Somebody may have called it in the meantime.
    case loaded_md5(Module) of
        none -> Row;
        Md5 -> Row#row{status = ?OK, reason = loaded};
        _ -> Row#row{status = ?NOT_UPDATED, reason = loaded_meanwhile}
    end;
look_again(Row) ->
    Row.

would_be(#row{status = Status, md5 = Md5}) when Status >= ?NOT_UPDATED -> Md5;
would_be(_) -> none.

told(Row, After) ->
    {Row#row.path, Row#row.name, Row#row.status, Row#row.reason, iolist_to_binary(Row#row.info), hex(Row#row.before),
        hex(After), Row#row.lingering, Row#row.written}.

%% ---- names and places

here(#{root := Root} = Request, Until) ->
    Dirs = [Dir || Dir <- code:get_path(), Dir =/= "."],
    #here{
        root = Root,
        real_root = real(Root),
        code_dirs = maps:from_list([{Id, [Dir]} || Dir <- Dirs, (Id = dir_id(Dir)) =/= none]),
        system_dirs = maps:from_list([{dir_id(Dir), true} || Dir <- Dirs, is_runtimes(Dir)]),
        until = Until,
        on_load_ms = maps:get(on_load_milliseconds, Request, 0)
    }.

%% .../App-Version/ebin
is_runtimes(Dir) ->
    Home = filename:dirname(Dir),
    [App | _] = string:split(filename:basename(Home), "-"),
    (lists:member(App, ?OTP) andalso filename:dirname(Home) =:= code:lib_dir()) orelse lists:member(App, ?ELIXIR).

full(Path, #{root := Root}) ->
    <<Root/binary, "/", Path/binary>>.

locate(#row{path = Path} = Row, #here{root = Root, real_root = Real} = Here) ->
    Located = Row#row{full = full(Path, #{root => Root}), name = name(Path)},
    case is_canonical(Path) of
        false ->
            refuse(Located, ?WRONG_PATH, path_not_canonical, <<>>);
        true ->
            Dir = filename:dirname(Located#row.full),
            case dir_id(Root) =/= none andalso is_below(Real, real(Dir)) of
                false ->
                    refuse(Located, ?WRONG_PATH, outside_root, <<>>);
                true ->
                    Known = Located#row{module = known_atom(Located#row.name)},
                    Known#row{before = before(Known, Here)}
            end
    end.

before(Row, Here) ->
    case is_module(Row, Here) of
        true -> loaded_md5(Row#row.module);
        false -> none
    end.

name(Path) ->
    Base = filename:basename(Path),
    case filename:extension(Base) of
        <<".beam">> -> binary:part(Base, 0, byte_size(Base) - 5);
        _ -> Base
    end.

is_canonical(Path) ->
    Parts = binary:split(Path, <<"/">>, [global]),
    binary:match(Path, [<<0>>, <<"\\">>]) =:= nomatch andalso
        lists:all(fun(Part) -> not lists:member(Part, [<<>>, <<".">>, <<"..">>]) end, Parts).

is_module(#row{path = Path, full = Full}, #here{code_dirs = Dirs}) ->
    filename:extension(Path) =:= <<".beam">> orelse maps:is_key(dir_id(filename:dirname(Full)), Dirs).

is_system(#row{module = Module, full = Full}, #here{system_dirs = Dirs}) ->
    Known = [Id || {dir, Id} <- [place(Module)]],
    lists:any(fun(Id) -> maps:is_key(Id, Dirs) end, [dir_id(filename:dirname(Full)) | Known]) orelse
        lists:member(Module, erlang:pre_loaded()) orelse code:is_sticky(Module).

%% A known module belongs where the node has it from, a new one into any folder that it loads code from. Folders are compared,
%% not their names: one of them may be a symbolic link.
demand_path(#row{module = Module, full = Full}, #here{code_dirs = Dirs}) ->
    Id = dir_id(filename:dirname(Full)),
    case place(Module) of
        {dir, Id} when Id =/= none -> ok;
        {dir, _} -> throw({?WRONG_PATH, other_path, raw(known_file(Module))});
        unknown -> maps:is_key(Id, Dirs) orelse throw({?WRONG_PATH, not_on_code_path, <<>>})
    end.

place(Module) ->
    case known_file(Module) of
        "" -> unknown;
        File -> {dir, dir_id(filename:dirname(filename:absname(File)))}
    end.

known_file(Module) ->
    case code:is_loaded(Module) of
        {file, [_ | _] = File} -> File;
        _ -> found(code:where_is_file(atom_to_list(Module) ++ ".beam"))
    end.

found(non_existing) -> "";
found(File) -> File.

file_to_load(#row{module = Module, full = Full}) ->
    case known_file(Module) of
        "" -> listed(Full);
        File -> File
    end.

dir_id(Dir) ->
    case file:read_file_info(Dir, [raw]) of
        {ok, #file_info{type = directory, major_device = Device, inode = Inode}} -> {Device, Inode};
        _ -> none
    end.

is_dir_or_special(#row{full = Full}) ->
    case file:read_file_info(Full, [raw]) of
        {ok, #file_info{type = regular}} -> false;
        {ok, _} -> true;
        {error, _} -> false
    end.

exists(#row{full = Full}) ->
    case file:read_link_info(Full, [raw]) of
        {ok, _} -> true;
        {error, _} -> false
    end.

read(Full) ->
    case file:read_file_info(Full, [raw]) of
        {ok, #file_info{type = regular, mode = Mode}} ->
            case file:read_file(Full) of
                {ok, Bytes} -> {ok, Bytes, Mode band 8#7777};
                Error -> Error
            end;
        {ok, _} ->
            {error, not_a_file};
        Error ->
            Error
    end.

same_on_disk(#row{full = Full, change = Bytes}) ->
    case file:read_file_info(Full, [raw]) of
        {ok, #file_info{size = Size}} when Size =:= byte_size(Bytes) -> file:read_file(Full) =:= {ok, Bytes};
        _ -> false
    end.

%% Two nodes may share the folder: each writes under a name of its own.
beside(Full) ->
    Own = hex(erlang:md5([atom_to_binary(node(), utf8), 0, filename:basename(Full)])),
    filename:join(filename:dirname(Full), <<".fleetwright-", Own/binary>>).

is_below(Root, Path) ->
    Path =:= Root orelse Root =:= <<"/">> orelse
        (byte_size(Path) > byte_size(Root) andalso
            binary:part(Path, 0, byte_size(Root) + 1) =:= <<Root/binary, "/">>).

%% The path without symbolic links. What does not exist is taken as it stands.
real(Path) ->
    real(Path, ?SYMLINKS).

real(<<"/">>, _) ->
    <<"/">>;
real(Path, Left) ->
    case get({real, Path}) of
        undefined ->
            Real = real_here(real(filename:dirname(Path), Left), filename:basename(Path), Left),
            put({real, Path}, Real),
            Real;
        Real ->
            Real
    end.

real_here(Parent, <<"..">>, _) ->
    filename:dirname(Parent);
real_here(Parent, Part, _) when Part =:= <<".">>; Part =:= <<>> ->
    Parent;
real_here(Parent, Part, Left) ->
    Here = filename:join(Parent, Part),
    case file:read_link_all(Here) of
        {ok, Target} when Left > 0 -> real(filename:join(Parent, bytes(Target)), Left - 1);
        _ -> Here
    end.

raw(Name) -> bytes(filename:absname(Name)).

bytes(Name) when is_binary(Name) -> Name;
bytes(Name) -> unicode:characters_to_binary(Name, unicode, file:native_name_encoding()).

listed(Name) ->
    unicode:characters_to_list(Name, file:native_name_encoding()).

%% ---- code

loaded_md5(Module) ->
    case erlang:module_loaded(Module) of
        true -> erlang:get_module_info(Module, md5);
        false -> none
    end.

disk_md5(#row{full = Full}) ->
    case file:read_file(Full) of
        {ok, Bytes} -> md5(Bytes);
        {error, _} -> none
    end.

md5(Bytes) ->
    try code:module_md5(inflated(Bytes)) of
        undefined -> none;
        Md5 -> Md5
    catch
        throw:_ -> none
    end.

lingering(Module) ->
    case erlang:check_old_code(Module) of
        false ->
            0;
        true ->
            Ask = make_ref(),
            Pids = processes() -- [self()],
            Asked = [Pid || Pid <- Pids, asked(Pid, Module, Ask)],
            count(Ask, length(Asked), 0, now_ms() + ?COUNT_MS)
    end.

asked(Pid, Module, Ask) ->
    erlang:check_process_code(Pid, Module, [{async, Ask}]) =:= async.

count(_Ask, 0, Found, _Until) ->
    Found;
count(Ask, Left, Found, Until) ->
    receive
        {check_process_code, Ask, false} -> count(Ask, Left - 1, Found, Until);
        {check_process_code, Ask, _} -> count(Ask, Left - 1, Found + 1, Until)
    after max(Until - now_ms(), 0) -> Found + Left
    end.

inflated(<<16#1F, 16#8B, _/binary>> = Packed) ->
    Z = zlib:open(),
    try
        zlib:inflateInit(Z, 31),
        inflate(Z, zlib:safeInflate(Z, Packed), [], 0)
    catch
        error:_ -> throw({?NOT_BEAM, not_a_module, <<>>})
    after
        zlib:close(Z)
    end;
inflated(Bytes) ->
    Bytes.

inflate(Z, {More, Piece}, Pieces, Size) ->
    Total = Size + iolist_size(Piece),
    Total =< ?LARGEST_CODE orelse throw({?ERROR, too_large, <<>>}),
    case More of
        continue -> inflate(Z, zlib:safeInflate(Z, []), [Pieces, Piece], Total);
        finished -> iolist_to_binary([Pieces, Piece])
    end.

%% The module's name, read without making atoms: what is refused leaves none behind.
module_name(<<"FOR1", Size:32, "BEAM", Chunks/binary>>) when byte_size(Chunks) >= Size - 4 ->
    Found = chunks(binary:part(Chunks, 0, max(Size - 4, 0)), #{}),
    case Found of
        #{<<"Code">> := _, <<"AtU8">> := Atoms} -> first_atom(Atoms);
        #{<<"Code">> := _, <<"Atom">> := Atoms} -> first_atom(Atoms);
        _ -> throw({?NOT_BEAM, not_a_module, <<>>})
    end;
module_name(_) ->
    throw({?NOT_BEAM, not_a_module, <<>>}).

chunks(<<Id:4/binary, Size:32, Rest/binary>>, Found) when byte_size(Rest) >= Size ->
    Padded = min(byte_size(Rest), (Size + 3) band bnot 3),
    <<Data:Size/binary, _/binary>> = Rest,
    <<_:Padded/binary, Others/binary>> = Rest,
    chunks(Others, Found#{Id => Data});
chunks(<<>>, Found) ->
    Found;
chunks(_, _) ->
    throw({?NOT_BEAM, not_a_module, <<>>}).

%% From OTP 28 on the count is negative, and lengths are compact terms.
first_atom(<<Count:32/signed, Size, Name:Size/binary, _/binary>>) when Count > 0 -> Name;
first_atom(<<Count:32/signed, Size:4, 0:4, Name:Size/binary, _/binary>>) when Count < 0 -> Name;
first_atom(<<Count:32/signed, High:3, 1:5, Low, Rest/binary>>) when Count < 0, byte_size(Rest) >= High * 256 + Low ->
    binary:part(Rest, 0, High * 256 + Low);
first_atom(_) ->
    throw({?NOT_BEAM, not_a_module, <<>>}).

atom(Name) ->
    try
        binary_to_atom(Name, utf8)
    catch
        error:_ -> throw({?ERROR, load_refused, <<"system_limit">>})
    end.

%% For a name that the node has never heard of, an atom that is no module's.
known_atom(Name) ->
    try
        binary_to_existing_atom(Name, utf8)
    catch
        error:_ -> '$fleetwright_unknown'
    end.

%% ---- words

runtime() ->
    iolist_to_binary(["Erlang/OTP ", erlang:system_info(otp_release), ", ERTS ", erlang:system_info(version)]).

vsn(<<>>) ->
    <<>>;
vsn(Application) ->
    case application:get_key(known_atom(Application), vsn) of
        {ok, Vsn} -> iolist_to_binary(Vsn);
        undefined -> <<>>
    end.

hex(none) -> <<>>;
hex(Bytes) -> iolist_to_binary([io_lib:format("~2.16.0b", [Byte]) || <<Byte>> <= Bytes]).

text(Term) ->
    Text = unicode:characters_to_binary(io_lib:format("~0tp", [Term])),
    binary:part(Text, 0, min(byte_size(Text), 400)).

arity(Arguments) when is_list(Arguments) -> length(Arguments);
arity(Arity) -> Arity.

now_ms() ->
    erlang:monotonic_time(millisecond).
