import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { compileShape } from "../contract/rest/check-shape.ts";
import { Failure } from "../core/failure.ts";
import { misshapen } from "./problems.ts";

/**
 * Checks a part of a request by its schema, and reports everything that is wrong with it. Words of a query become
 * numbers and truth values where the schema says so; a body is taken as it is.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const findProblems = compileShape(schema, httpPart === "querystring" ? "query" : (httpPart ?? "request"));
  return (given: unknown) => {
    const misfit = findZero(given, httpPart);
    if (misfit !== undefined) return { error: misfit };
    const value = httpPart === "querystring" ? readWords(schema, given) : given;
    const problems = findProblems(value);
    return problems.length === 0 ? { value } : { error: misshapen(problems) };
  };
};

/** No name and no text has a zero character in it, and PostgreSQL takes none. */
function findZero(given: unknown, httpPart: string | undefined): Failure | undefined {
  if (httpPart !== "params" && httpPart !== "querystring") return undefined;
  const found = Object.entries(given as object).find(([, word]) => String(word).includes("\0"));
  if (found === undefined) return undefined;
  const message = "It has a zero character (%00) in it.";
  return httpPart === "params"
    ? new Failure("route-not-found", `There is nothing at this path. ${message}`)
    : misshapen([{ code: "request-invalid", field: found[0], message }]);
}

/** Only what is a number or a truth value beyond doubt: a wrong word is to be refused, not understood somehow. */
function readWords(schema: TSchema, given: unknown): unknown {
  const { properties } = schema as { properties?: Readonly<Record<string, { readonly type?: string }>> };
  const read = ([name, word]: readonly [string, unknown]): [string, unknown] => {
    const type = properties?.[name]?.type;
    if (type === "integer" && typeof word === "string" && /^-?\d{1,15}$/.test(word))
      return [name, Number(word)];
    if (type === "boolean" && (word === "true" || word === "false")) return [name, word === "true"];
    return [name, word];
  };
  return Object.fromEntries(Object.entries(given as object).map(read));
}
