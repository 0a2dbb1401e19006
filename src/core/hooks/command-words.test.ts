import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { splitCommand } from "./command-words.ts";

describe("splitCommand", () => {
  it.each([
    ["drush config:export --destination=/tmp/x", ["drush", "config:export", "--destination=/tmp/x"]],
    ["  a\tb  ", ["a", "b"]],
    [String.raw`a 'b c' "d \"e\" \f" g\ h`, ["a", "b c", String.raw`d "e" \f`, "g h"]],
    [`a '' "" b''c`, ["a", "", "", "bc"]],
    [`a '$HOME; rm *' --x="y z"`, ["a", "$HOME; rm *", "--x=y z"]],
  ])("takes %s apart as a shell would", (command, words) => {
    expect(splitCommand(command)).toEqual({ words });
  });

  it.each([
    ["", "empty"],
    ["a; b", '";" means'],
    ["a | b", '"|" means'],
    ["a > /etc/passwd", '">" means'],
    ["a $HOME", '"$" means'],
    ['a "$HOME"', '"$" means'],
    ['a "b`c`"', '"`" means'],
    ["a *.txt", '"*" means'],
    ["a\nb", "a line break means"],
    ["a 'b", "a quote ' is not closed"],
    ['a "b', 'a quote " is not closed'],
    ["a\\", "ends with a backslash"],
  ])("refuses %j, which needs a shell or has no end", (command, problem) => {
    expect(splitCommand(command)).toEqual({ problem: expect.stringContaining(problem) as string });
  });

  it("gives back every word that was quoted", () => {
    const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (words) => {
        expect(splitCommand(words.map(quote).join(" "))).toEqual({ words });
      }),
    );
  });
});
