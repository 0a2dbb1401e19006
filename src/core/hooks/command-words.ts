/** One piece of a word, or what stands between words. */
const token = /([ \t]+)|'([^']*)'|"((?:[^"\\$`]|\\[^])*)"|\\([^])|([^ \t'"\\|&;<>()$`*?[\]#~{}!\n]+)/y;

/**
 * Takes a command apart into words as a POSIX shell would, with quotes and backslashes, but nothing is expanded.
 * `problem`: it cannot be, or it asks for something that only a shell does.
 */
export function splitCommand(
  command: string,
): { readonly words: readonly string[] } | { readonly problem: string } {
  const text = command.trim();
  const words: string[] = [];
  let isOpen = false;
  token.lastIndex = 0;
  while (token.lastIndex < text.length) {
    const { lastIndex } = token;
    const found = token.exec(text);
    if (found === null) return { problem: describeEnd(text.slice(lastIndex)) };
    const [, space, single, double, escaped, plain] = found;
    if (space !== undefined) isOpen = false;
    else {
      // In double quotes a backslash is one, but before what would have a meaning there.
      const piece = single ?? double?.replaceAll(/\\(["\\$`])/g, "$1") ?? escaped ?? plain ?? "";
      if (isOpen) words.push((words.pop() ?? "") + piece);
      else words.push(piece);
      isOpen = true;
    }
  }
  return words.length === 0 ? { problem: "it is empty" } : { words };
}

function describeEnd(rest: string): string {
  const sign = rest[0] ?? "";
  if (sign === "\\") return "it ends with a backslash";
  const quoted = /^"(?:[^"\\$`]|\\[^])*([$`]?)/.exec(rest);
  if (sign === "'" || quoted?.[1] === "") return `a quote ${sign} is not closed`;
  const meant = quoted?.[1] ?? sign;
  return (
    `${meant === "\n" ? "a line break" : `"${meant}"`} means something to a shell only, and none runs it; quote it, or put ` +
    "the commands into a script and allow that"
  );
}
