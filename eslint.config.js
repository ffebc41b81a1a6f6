// The viewer's modules run in a browser, its tests in node.

import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    rules: {
      eqeqeq: "error",
      "max-lines": ["error", 300],
      "no-var": "error",
      "one-var": ["error", "never"],
      "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "prefer-const": ["error", { destructuring: "all" }],
      "no-restricted-properties": [
        "error",
        { property: "innerHTML" },
        { property: "outerHTML" },
        { property: "insertAdjacentHTML" },
      ],
      "no-implied-eval": "error",
      "no-eval": "error",
    },
  },
  { files: ["viewer/modules/**/*.js"], languageOptions: { globals: globals.browser } },
  { files: ["tests/viewer/**/*.js", "eslint.config.js"], languageOptions: { globals: globals.node } },
];
