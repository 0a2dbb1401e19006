import { Compile } from "typebox/compile";
import type { TSchema } from "typebox";
import type { Problem } from "../../core/problem.ts";

const mostProblems = 50;

/**
 * A check of values by their schema: everything that is wrong, as a person reads it; empty: nothing. `whole` is what
 * the value is called where it is wrong as a whole.
 */
export function compileShape(schema: TSchema, whole: string): (value: unknown) => readonly Problem[] {
  const validator = Compile(schema);
  return (value) => {
    if (validator.Check(value)) return [];
    // What a field that must not be there "is" was said by the object it is in.
    return validator
      .Errors(value)
      .filter(({ keyword }) => keyword !== "boolean")
      .slice(0, mostProblems)
      .map((error) => toProblem(error, whole));
  };
}

interface SchemaError {
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function toProblem({ instancePath, message, params }: SchemaError, whole: string): Problem {
  const path = instancePath.slice(1).replaceAll("/", ".");
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
  return { code: "request-invalid", field: path === "" ? whole : path, message: `It ${message}${use}.` };
}
