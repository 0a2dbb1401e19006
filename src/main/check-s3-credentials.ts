import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { DoctorCheck } from "../cli/host.ts";
import type { Environment } from "./config.ts";

const name = "S3 credentials";

/**
 * Where the keys for buckets would come from, in the order in which the AWS chain looks; never a key. Nothing is
 * said where nothing of AWS is set, for then nobody uses buckets here, or the machine's role is asked.
 */
export async function checkS3Credentials(env: Environment): Promise<DoctorCheck[]> {
  const set = (variable: string): boolean => (env[variable] ?? "") !== "";
  const halves = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].filter(set);
  if (set("AWS_PROFILE")) return [await checkProfile(env, env["AWS_PROFILE"] ?? "", halves.length > 0)];
  if (halves.length === 2) {
    const kind = set("AWS_SESSION_TOKEN") ? ", for a time (AWS_SESSION_TOKEN)" : "";
    return [{ name, state: "ok", finding: `AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY${kind}` }];
  }
  if (halves.length === 1) {
    const missing = halves[0] === "AWS_ACCESS_KEY_ID" ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID";
    const finding = `${halves.join("")} is set and ${missing} is not, so neither is used`;
    return [{ name, state: "warning", finding, fix: `Set ${missing} too, or unset both.` }];
  }
  const profiles = await readProfiles(env);
  if (profiles.names.has("default")) return [await checkProfile(env, "default", false)];
  if (set("AWS_WEB_IDENTITY_TOKEN_FILE") && set("AWS_ROLE_ARN"))
    return [{ name, state: "ok", finding: `web identity for ${env["AWS_ROLE_ARN"]}` }];
  if (set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || set("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
    return [{ name, state: "ok", finding: "the container's endpoint" }];
  if (profiles.names.size === 0) return [];
  const finding = `profiles ${[...profiles.names].join(", ")}, used only where a bucket's URL says profile=`;
  return [await withFileRights({ name, state: "ok", finding }, profiles.credentialsFile)];
}

async function checkProfile(env: Environment, profile: string, variablesToo: boolean): Promise<DoctorCheck> {
  const { names, credentialsFile, configFile } = await readProfiles(env);
  const by = env["AWS_PROFILE"] === undefined ? "" : " (AWS_PROFILE)";
  if (!names.has(profile)) {
    const finding = `there is no profile ${profile}${by} in ${credentialsFile} or ${configFile}`;
    return { name, state: "warning", finding, fix: "Name one that is there, or make it: aws configure." };
  }
  const instead = variablesToo ? "; AWS_ACCESS_KEY_ID is left aside" : "";
  return await withFileRights(
    { name, state: "ok", finding: `profile ${profile}${by}${instead}` },
    credentialsFile,
  );
}

/** A file of keys that others may read is worth a word. */
async function withFileRights(check: DoctorCheck, path: string): Promise<DoctorCheck> {
  const mode = (await stat(path).catch(() => undefined))?.mode ?? 0;
  if ((mode & 0o077) === 0) return check;
  return {
    ...check,
    state: "warning",
    finding: `${check.finding}; ${path} may be read by others`,
    fix: `chmod 600 ${path}`,
  };
}

interface Profiles {
  readonly names: ReadonlySet<string>;
  readonly credentialsFile: string;
  readonly configFile: string;
}

async function readProfiles(env: Environment): Promise<Profiles> {
  const home = join(env["HOME"] || homedir(), ".aws");
  const credentialsFile = env["AWS_SHARED_CREDENTIALS_FILE"] || join(home, "credentials");
  const configFile = env["AWS_CONFIG_FILE"] || join(home, "config");
  const [credentials, config] = await Promise.all(
    [credentialsFile, configFile].map(async (path) => await readFile(path, "utf8").catch(() => "")),
  );
  return { names: new Set([...sectionsOf(credentials), ...sectionsOf(config)]), credentialsFile, configFile };
}

/** `[name]` in the one file, `[profile name]` in the other; other kinds of sections are no profiles. */
function sectionsOf(text: string | undefined): string[] {
  return [...(text ?? "").matchAll(/^\s*\[\s*(?:profile\s+)?([^\s\]]+)\s*\]/gm)].map(
    (match) => match[1] ?? "",
  );
}
