// Neither a style element of its own (our content security policy forbids inline styles), nor code in attributes.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
