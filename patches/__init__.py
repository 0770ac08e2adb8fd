"""Hot patches into running systems. So far only the place where they will live: above `updates`, below `portal`."""
