import { Compile } from "typebox/compile";
import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import type { Problem } from "../core/backup/validate-backup.ts";
import { InvalidRequest } from "./problems.ts";

const mostProblems = 50;

/**
 * Checks a part of a request by its schema, and reports everything that is wrong with it. Words of a query become
 * numbers and truth values where the schema says so; a body is taken as it is.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  return (given: unknown) => {
    const value = httpPart === "querystring" ? readWords(schema, given) : given;
    if (validator.Check(value)) return { value };
    // What a field that must not be there "is" was said by the object it is in.
    const errors = validator
      .Errors(value)
      .filter(({ keyword }) => keyword !== "boolean")
      .slice(0, mostProblems);
    return { error: new InvalidRequest(errors.map((error) => toProblem(error, httpPart))) };
  };
};

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

interface SchemaError {
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function toProblem({ instancePath, message, params }: SchemaError, httpPart: string | undefined): Problem {
  const path = instancePath.slice(1).replaceAll("/", ".");
  const where = httpPart === "querystring" ? "query" : (httpPart ?? "request");
  const unknown = "additionalProperties" in params ? params.additionalProperties : undefined;
  const missing = "requiredProperties" in params ? params.requiredProperties : undefined;
  const below = (name: unknown): string => (path === "" ? String(name) : `${path}.${String(name)}`);
  if (Array.isArray(unknown) && unknown.length > 0) {
    return {
      code: "request-invalid",
      field: unknown.map(below).join(", "),
      message: "There is no such field.",
    };
  }
  if (Array.isArray(missing) && missing.length > 0) {
    return { code: "request-invalid", field: missing.map(below).join(", "), message: "This must be given." };
  }
  const allowed =
    "allowedValues" in params && Array.isArray(params.allowedValues) ? params.allowedValues : [];
  const use = allowed.length === 0 ? "" : `: ${allowed.map(String).join(", ")}`;
  return { code: "request-invalid", field: path === "" ? where : path, message: `It ${message}${use}.` };
}
