/**
 * `npm run generate` writes every file that is generated from the sources; with `--check` it writes
 * nothing and exits with 1 when one is missing or out of step.
 */
import { renderCliPage } from "./generate-cli.ts";
import { renderErrorsPage } from "./generate-errors.ts";
import { renderRestPage } from "./generate-rest.ts";
import { bringInStep } from "./generated-file.ts";

const generated: readonly { readonly path: string; readonly render: () => string | Promise<string> }[] = [
  { path: "docs/reference/cli.md", render: renderCliPage },
  { path: "docs/reference/errors.md", render: renderErrorsPage },
  { path: "docs/reference/rest.md", render: renderRestPage },
];

const mode = process.argv.includes("--check") ? "check" : "write";
for (const { path, render } of generated) {
  const state = await bringInStep(path, await render(), mode);
  if (state === "written") console.log(`wrote ${path}`);
  if (state === "out-of-step") {
    console.log(`${path} is not in step with its source: run 'npm run generate' and commit the result`);
    process.exitCode = 1;
  }
}
