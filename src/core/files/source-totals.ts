import { Failure } from "../failure.ts";
import { isBucketUrl } from "./bucket-url.ts";

export interface SourceTotals {
  files: number;
  /** Symlinks. */
  others: number;
  bytes: number;
}

/**
 * Why a source is refused: it holds nothing, or much less than at the last backup, which is more often a file
 * system that is not mounted or a wrong path than somebody's wish. `maxShrink` is the part that may be
 * missing, 0..1; 1 allows everything.
 */
export function sourceProblem(facts: {
  readonly url: string;
  readonly now: SourceTotals;
  /** Of the last backup, under the filters of now. */
  readonly before: (SourceTotals & { readonly backupId: string }) | undefined;
  readonly maxShrink: number;
}): Failure | undefined {
  const { url, now, before, maxShrink } = facts;
  if (maxShrink >= 1) return undefined;
  if (now.files + now.others === 0) {
    const [what, doubt] = isBucketUrl(url) ? ["object", "Is the prefix right"] : ["file", "Is it mounted"];
    return new Failure(
      "source-empty",
      `There is no ${what} in ${url}. ${doubt}, and do the filters leave something? To back up an empty source ` +
        "all the same, give --max-shrink 100%.",
    );
  }
  if (before === undefined) return undefined;
  const least = 1 - maxShrink;
  if (now.files >= least * before.files && now.bytes >= least * before.bytes) return undefined;
  return new Failure(
    "source-shrank",
    `${url} holds ${now.files} files with ${now.bytes} bytes; at ${before.backupId} it held ${before.files} with ` +
      `${before.bytes}. That is less than the allowed ${Math.round(least * 100)} %. Look whether something is ` +
      "missing; if not, allow it with --max-shrink 100%.",
  );
}
