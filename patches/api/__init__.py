"""Hot patches, nodes, instances and modules in the API."""
