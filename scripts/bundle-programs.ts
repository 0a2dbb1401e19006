import { basename, dirname, resolve } from "node:path";
import { rolldown, type OutputChunk, type Plugin } from "rolldown";

export interface Bundle {
  /** Every module that is in it, by its file; a package's among them. */
  readonly modules: readonly string[];
}

/** How a file names a program of ours that it starts or loads, or another file beside itself. */
const fileUrl = /new URL\(\s*"([^"]+)",\s*import\.meta\.url,?\s*\)/g;

/**
 * Writes the command line, and every program that it or another one starts, as JavaScript with the packages
 * they use, all files side by side in one folder. What is imported when it is needed stays a file of its own.
 * Rejects when the bundler has any doubt.
 *
 * @param root of the checkout
 */
export async function bundlePrograms(root: string, folder: string): Promise<Bundle> {
  const doubts: string[] = [];
  const build = await rolldown({
    cwd: root,
    platform: "node",
    input: { cli: resolve(root, "src/main/cli.ts") },
    plugins: [followPrograms()],
    onLog: (level, { message }) => {
      if (level === "warn") doubts.push(message);
    },
  });
  const { output } = await build.write({
    dir: folder,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    comments: { annotation: true, jsdoc: false, legal: true },
  });
  await build.close();
  const chunks = output.filter((one): one is OutputChunk => one.type === "chunk");
  if (doubts.length > 0) throw new Error(doubts.join("\n"));
  return { modules: chunks.flatMap(({ moduleIds }) => moduleIds) };
}

/** Brings programs along that are named by URL, which a bundler does not follow, under the name they have here. */
function followPrograms(): Plugin {
  return {
    name: "follow-programs",
    transform: {
      filter: { id: /\.ts$/, code: /import\.meta\.url/ },
      handler(code, id) {
        if (code.replaceAll(fileUrl, "").includes("import.meta.url"))
          this.error(`${id} uses import.meta.url in another way than new URL("…", import.meta.url).`);
        return code.replaceAll(fileUrl, (same, path: string) => {
          if (!path.endsWith(".ts")) return same;
          const fileName = `${basename(path, ".ts")}.js`;
          this.emitFile({ type: "chunk", id: resolve(dirname(id), path), fileName });
          return `new URL("./${fileName}", import.meta.url)`;
        });
      },
    },
  };
}
