import { existsSync } from "node:fs";
import { type ICruiseResult, cruise } from "dependency-cruiser";
import { cruiseOptions, layerRules } from "./layer-rules.ts";

export interface LayerViolation {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/**
 * Checks the layer rules on every source below `root`.
 *
 * @returns how many files of our own were read, and every broken rule
 */
export async function cruiseTree(
  root: string,
): Promise<{ modules: number; violations: readonly LayerViolation[] }> {
  const folders = ["src", "test", "demo", "scripts"].filter((folder) => existsSync(`${root}/${folder}`));
  const { output } = await cruise(folders, {
    ...cruiseOptions,
    baseDir: root,
    validate: true,
    ruleSet: { forbidden: [...layerRules] },
  });
  const { modules, summary } = output as ICruiseResult;
  return {
    modules: modules.filter(({ source }) => /^(src|test|demo|scripts)\//.test(source)).length,
    violations: summary.violations
      .filter(({ rule }) => rule.severity === "error")
      .map(({ rule, from, to, via }) => ({
        rule: rule.name,
        from,
        to: via === undefined ? to : via.map(({ name }) => name).join(" -> "),
        reason: layerRules.find(({ name }) => name === rule.name)?.comment ?? "",
      })),
  };
}
