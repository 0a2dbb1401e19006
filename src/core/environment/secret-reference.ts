import type { Problem } from "../problem.ts";
import type { SecretReference } from "./environment.ts";

export type ParsedReference =
  | { readonly kind: "env"; readonly name: string }
  | { readonly kind: "file"; readonly path: string };

/** Kinds that a later version will know. */
const later = new Set(["vault", "k8s", "kubernetes", "secret", "aws-sm", "gcp-sm", "azure-kv", "op", "sops"]);
const forms = "env:NAME or file:/path";

/** What is wrong with a reference to a secret. Never repeats what may be the secret itself. */
export function validateSecretReference(field: string, reference: SecretReference): Problem[] {
  const parsed = parseSecretReference(reference);
  return "problem" in parsed ? [{ code: parsed.code, field, message: parsed.problem }] : [];
}

type Refused = { readonly problem: string; readonly code: "request-invalid" | "not-available" };

/** Reads a reference. Pure: whether the secret is there is seen by whoever needs it. */
export function parseSecretReference(reference: SecretReference): ParsedReference | Refused {
  const [, kind = "", rest = ""] = /^([a-z][a-z0-9-]*):(.*)$/s.exec(reference) ?? [];
  if (kind === "env") {
    if (/^[A-Za-z_]\w{0,127}$/.test(rest)) return { kind, name: rest };
    return { problem: "env: names a variable of letters, digits and _.", code: "request-invalid" };
  }
  if (kind === "file") {
    const path = rest.replace(/^\/\/(?=\/)/, "");
    if (/^\/[^/\0][^\0]{0,1022}$/.test(path)) return { kind, path };
    return {
      problem: "file: names a file by its whole path, such as file:/run/secrets/db.",
      code: "request-invalid",
    };
  }
  if (later.has(kind)) {
    return { problem: `This version reads no ${kind}: references; use ${forms}.`, code: "not-available" };
  }
  return {
    problem: `A secret is referred to by ${forms}. What was given is not repeated here; if it is the secret itself, change it.`,
    code: "request-invalid",
  };
}
