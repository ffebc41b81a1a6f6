import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";

const folder = new URL("../../viewer/modules/", import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith(".js"));
const text = Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, folder), "utf8")]));
const imports = (name) => [...text[name].matchAll(/from "([^"]+)"/g)].map((found) => found[1]);

test("every module can be imported without a browser: none does anything until it is mounted", async () => {
  for (const name of names) await import(new URL(name, folder));
});

test("modules import their neighbours and nothing else", () => {
  for (const name of names)
    for (const from of imports(name)) assert.ok(names.includes(from.replace("./", "")), `${name}: ${from}`);
});

test("no circle of imports", () => {
  const done = new Set();
  const visit = (name, path) => {
    assert.ok(!path.includes(name), [...path, name].join(" > "));
    if (done.has(name)) return;
    for (const from of imports(name)) visit(from.replace("./", ""), [...path, name]);
    done.add(name);
  };
  for (const name of names) visit(name, []);
});

test("each module opens with what it is for", () => {
  for (const name of names) assert.match(text[name], /^\/\/ [A-Z]/, name);
});
