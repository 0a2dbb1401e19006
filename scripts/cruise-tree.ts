import { existsSync } from "node:fs";
import type { Statement, VariableDeclarator } from "@swc/core";
import { type ICruiseResult, cruise } from "dependency-cruiser";
import { Visitor } from "@swc/core/Visitor.js";
import { cruiseOptions, layerRules } from "./layer-rules.ts";

teachWalkerUsingDeclarations();

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

/**
 * The syntax walker that dependency-cruiser uses throws at `using` and `await using`: it is taught to walk
 * them as the declarations they are, so that imports inside them are seen too.
 */
function teachWalkerUsingDeclarations(): void {
  const { prototype } = Visitor;
  const visitStatement = prototype.visitStatement;
  prototype.visitStatement = function visit(this: typeof prototype, statement: Statement): Statement {
    if (!isUsingDeclaration(statement)) return visitStatement.call(this, statement);
    this.visitVariableDeclarators(statement.decls);
    return statement;
  };
}

/** The parser produces it, though the package's types do not know it. */
function isUsingDeclaration(statement: object): statement is { decls: VariableDeclarator[] } {
  return "type" in statement && statement.type === "UsingDeclaration";
}
