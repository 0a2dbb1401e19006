/**
 * Lines that tests ran, in the test processes and in the programs that tests started. vitest measures only
 * the former, and what matters most here, the command line and the workers, are programs of their own.
 */

/** Of Istanbul's JSON report, as vitest writes it: what is read of one file. */
export interface IstanbulFile {
  readonly statementMap: Readonly<Record<string, { readonly start: Position }>>;
  readonly s: Readonly<Record<string, number>>;
}

interface Position {
  /** From 1. */
  readonly line: number;
  /** From 0. */
  readonly column: number;
}

/** Of V8's own report (NODE_V8_COVERAGE): one script as one process ran it. */
export interface V8Script {
  readonly functions: readonly { readonly ranges: readonly V8Range[] }[];
}

interface V8Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

/**
 * Counts the lines on which a statement starts, and those of them of which one was run.
 *
 * Offsets in V8's reports fit the source because Node strips types by overwriting them with spaces.
 *
 * @param runs the script as each started program ran it
 */
export function countLines(
  source: string,
  file: IstanbulFile,
  runs: readonly V8Script[],
): { total: number; covered: number; missing: readonly number[] } {
  const lineStarts = [0];
  for (let at = source.indexOf("\n"); at >= 0; at = source.indexOf("\n", at + 1)) lineStarts.push(at + 1);
  const lines = new Map<number, boolean>();
  for (const [id, { start }] of Object.entries(file.statementMap)) {
    if (lines.get(start.line) === true) continue;
    const offset = (lineStarts[start.line - 1] ?? 0) + start.column;
    const ran = (file.s[id] ?? 0) > 0 || runs.some((run) => countAt(run, offset) > 0);
    lines.set(start.line, ran);
  }
  const missing = [...lines].filter(([, ran]) => !ran).map(([line]) => line);
  return { total: lines.size, covered: lines.size - missing.length, missing: missing.sort((a, b) => a - b) };
}

/** The count of the smallest range around an offset; 0 where there is none. */
function countAt({ functions }: V8Script, offset: number): number {
  let innermost: V8Range | undefined;
  for (const { ranges } of functions) {
    for (const range of ranges) {
      if (offset < range.startOffset || offset >= range.endOffset) continue;
      if (innermost === undefined || sizeOf(range) <= sizeOf(innermost)) innermost = range;
    }
  }
  return innermost?.count ?? 0;
}

const sizeOf = ({ startOffset, endOffset }: V8Range): number => endOffset - startOffset;
