/** Plain walks of folders. */
import { lstatSync, readdirSync, type Stats } from "node:fs";

/** Bytes of all files below a folder. */
export function sizeOfFolder(folder: string): number {
  let bytes = 0;
  walkPlainly(folder, (_, facts) => {
    if (facts.isFile()) bytes += facts.size;
  });
  return bytes;
}

/** One plain walk by Node: every name read, every object looked at once, nothing else. */
export function walkPlainly(folder: string, visit: (path: string, facts: Stats) => void): void {
  for (const name of readdirSync(folder)) {
    const path = `${folder}/${name}`;
    const facts = lstatSync(path);
    visit(path, facts);
    if (facts.isDirectory()) walkPlainly(path, visit);
  }
}
