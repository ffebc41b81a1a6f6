import assert from "node:assert/strict";
import test from "node:test";

import { QUIET_TOOLS, TOOLS } from "../../viewer/modules/tools.js";

const OWN = ["f", "?", "[", "]", ",", ".", "n", "p", ..."123456789"]; // of the view itself, and of the list of scans

test("a key has one meaning, whatever is on show, and every tool says what it does", () => {
  const keys = [...TOOLS, ...QUIET_TOOLS].filter((tool) => tool.key).map((tool) => tool.key);
  assert.deepEqual(
    [...keys, ...OWN].filter((key, i, all) => all.indexOf(key) !== i),
    [],
  );
  for (const tool of [...TOOLS, ...QUIET_TOOLS]) assert.ok(tool.label && tool.help && tool.id);
});
