/**
 * JSON values as YAML 1.2, block style. Strings are quoted (as JSON, which YAML contains) whenever they
 * could be read as anything else; members that are undefined are left out, as JSON does.
 */
export function toYaml(value: unknown): string {
  return `${emit(value, "").replace(/^\n/, "")}\n`;
}

function emit(value: unknown, indent: string): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return value.map((item) => `\n${indent}- ${nested(item, `${indent}  `)}`).join("");
  }
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    if (members.length === 0) return "{}";
    return members
      .map(([name, member]) => {
        const text = emit(member, Array.isArray(member) ? indent : `${indent}  `);
        return `\n${indent}${scalar(name)}:${text.startsWith("\n") ? text : ` ${text}`}`;
      })
      .join("");
  }
  return typeof value === "string" ? scalar(value) : (JSON.stringify(value) ?? "null");
}

/** A list item: a collection's first line goes on the line of the hyphen. */
function nested(item: unknown, indent: string): string {
  const text = emit(item, indent);
  return text.startsWith("\n") ? text.slice(1 + indent.length) : text;
}

const plainString = /^[A-Za-z_/][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+(),-]+)*$/;
const otherMeaning = /^(?:true|false|null|yes|no|on|off|y|n|~)$/i;

function scalar(text: string): string {
  return plainString.test(text) && !otherMeaning.test(text) ? text : JSON.stringify(text);
}
