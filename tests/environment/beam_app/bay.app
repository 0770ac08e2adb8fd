{application, bay,
 [{description, "A small system that tests patch while it runs"},
  {vsn, "1.0.0"},
  {modules, [bay_app, bay_counter, bay_greeting, bay_spare]},
  {registered, [bay_counter, bay_sup]},
  {applications, [kernel, stdlib]},
  {mod, {bay_app, []}}]}.
