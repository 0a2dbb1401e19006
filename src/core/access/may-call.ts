export type Permission = "look" | "operate" | "administer";

const permissions: Readonly<Record<string, readonly Permission[]>> = {
  viewer: ["look"],
  operator: ["look", "operate"],
  admin: ["look", "operate", "administer"],
};

/**
 * Whether a caller may do it with a project's things: `hidden` is said as if they did not exist, because even that
 * they do is nobody else's business.
 */
export function mayCall(
  caller: { readonly role: string; readonly projects?: readonly string[] },
  permission: Permission,
  projectId?: string,
): "yes" | "no" | "hidden" {
  const isTheirs =
    caller.projects === undefined || (projectId !== undefined && caller.projects.includes(projectId));
  if (!isTheirs) return "hidden";
  return permissions[caller.role]?.includes(permission) === true ? "yes" : "no";
}
