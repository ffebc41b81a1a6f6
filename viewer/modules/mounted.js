// The views on the page by their key, and the latest update for each: {view, hear, news}. The two components share
// this module.

export const views = new Map();
