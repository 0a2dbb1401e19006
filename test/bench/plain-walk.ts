/** `node plain-walk.ts FOLDER`: the yardstick of a second backup. Prints how many objects there are. */
import { walkPlainly } from "./folders.ts";

let objects = 0;
walkPlainly(process.argv[2] ?? ".", () => {
  objects += 1;
});
process.stdout.write(`${objects}\n`);
