import type { CaseReport } from "./figure.ts";
import type { Workbench } from "./workbench.ts";

/** One comparison: its data, the product and its peers in turn, and what came out. */
export interface BenchCase {
  readonly name: string;
  readonly title: string;
  /** Goals that do not depend on the amount of data. */
  readonly judgedAtAnyScale?: true;
  readonly run: (bench: Workbench) => Promise<Pick<CaseReport, "data" | "programs" | "figures" | "notes">>;
}
