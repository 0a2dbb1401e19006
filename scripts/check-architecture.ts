/** Runs the rules of `layer-rules.ts` over the tree. Exits with 1 when one is broken. */
import { cruiseTree } from "./cruise-tree.ts";

const { modules, violations } = await cruiseTree(new URL("..", import.meta.url).pathname);

for (const { rule, from, to, reason } of violations) {
  console.log(`${rule}: ${from} -> ${to}\n  why: ${reason}`);
}
// The tool under TypeScript 7 has a way to find nothing and be content.
if (modules < 50) {
  console.log(`only ${String(modules)} modules were found; the rules have not been checked`);
}
if (violations.length > 0 || modules < 50) process.exitCode = 1;
