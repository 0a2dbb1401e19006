/** The reference of the REST interface, as a page for people; needs nothing but itself. */

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Shape }>> };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: object }>>;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Shape;
}
interface Shape {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly $ref?: string;
}
export interface OpenApiDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Shape>> };
}

export function renderDocsPage(document: OpenApiDocument): string {
  const { info, paths, components } = document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => renderOperation(method, path, operation)),
  );
  const shapes = Object.entries(components.schemas).map(
    ([name, shape]) =>
      `<section id="${escape(name)}"><h3>${escape(name)}</h3>${renderShape(shape)}</section>`,
  );
  return [
    "<!doctype html><html lang=en><meta charset=utf-8>",
    `<title>${escape(info.title)} ${escape(info.version)}</title><style>${style}</style>`,
    `<h1>${escape(info.title)} ${escape(info.version)}</h1><p>${prose(info.description)}</p>`,
    "<p>Every call but /health/* needs <code>Authorization: Bearer KEY</code>. <a href=/openapi.json>openapi.json</a></p>",
    "<h2>Calls</h2>",
    ...operations,
    "<h2>Shapes</h2>",
    ...shapes,
    "</html>",
  ].join("\n");
}

function renderOperation(method: string, path: string, operation: Operation): string {
  const parameters = (operation.parameters ?? []).filter((each) => each.in !== "path");
  const body = operation.requestBody?.content["application/json"]?.schema;
  const answers = Object.entries(operation.responses).map(
    ([status, { description, content }]) =>
      `<tr><td><code>${escape(status)}</code><td>${prose(description)} ${linkOf(content)}`,
  );
  return [
    `<section><h3><code>${escape(method.toUpperCase())} ${escape(path)}</code></h3>`,
    `<p><b>${prose(operation.summary)}.</b> ${prose(operation.description)}</p>`,
    parameters.length === 0
      ? ""
      : `<table><tr><th>Parameter<th>In<th>Meaning${parameters
          .map(
            ({ name, in: where, description, schema }) =>
              `<tr><td><code>${escape(name)}</code><td>${escape(where)}<td>${typeOf(schema)} ${prose(description)}`,
          )
          .join("")}</table>`,
    body === undefined ? "" : `<p>Body:</p>${renderShape(body)}`,
    `<table><tr><th>Status<th>Meaning${answers.join("")}</table></section>`,
  ].join("\n");
}

function renderShape(shape: Shape): string {
  const rows = Object.entries(shape.properties ?? {}).map(([name, member]) => {
    const must = shape.required?.includes(name) === true ? "" : " (optional)";
    const below = member.properties === undefined ? "" : renderShape(member);
    const items = member.items?.properties === undefined ? "" : renderShape(member.items);
    return `<tr><td><code>${escape(name)}</code><td>${typeOf(member)}${must}<td>${prose(member.description)}${below}${items}`;
  });
  return `<table><tr><th>Field<th>Type<th>Meaning${rows.join("")}</table>`;
}

function typeOf({ type, enum: values, items, $ref, default: fallback }: Shape): string {
  const name = $ref?.split("/").at(-1);
  const base =
    name !== undefined
      ? `<a href="#${escape(name)}">${escape(name)}</a>`
      : values !== undefined
        ? values.map((each) => `<code>${escape(each)}</code>`).join(" ")
        : `${escape(type ?? "any")}${items === undefined ? "" : ` of ${typeOf(items)}`}`;
  return fallback === undefined ? base : `${base}, default <code>${escape(JSON.stringify(fallback))}</code>`;
}

function linkOf(content: object | undefined): string {
  const name = /"#\/components\/schemas\/([A-Za-z]+)"/.exec(JSON.stringify(content ?? {}))?.[1];
  return name === undefined ? "" : `<a href="#${name}">${name}</a>`;
}

/** Plain text, with `code` set as such. */
const prose = (text: string | undefined): string =>
  escape(text ?? "").replaceAll(/`([^`]+)`/g, "<code>$1</code>");

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const style = `
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
code{font:.9em ui-monospace,monospace}h3{margin-top:2.5rem;border-top:1px solid #ddd;padding-top:1rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{text-align:left;vertical-align:top;padding:.25rem .75rem
.25rem 0;border-bottom:1px solid #eee}a{color:#0b57d0}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}a{color:#8ab4f8}td,th,h3{border-color:#333}}`;
