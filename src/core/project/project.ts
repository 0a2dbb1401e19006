/** A tenant: what its backups, environments and restores belong to. */
export interface Project {
  readonly projectId: string;
  readonly description?: string;
  /** Where its backups are kept, canonical URL; absent: the installation's own. */
  readonly repository?: string;
  /** IANA name; days and weeks of schedules and of retention are this zone's. */
  readonly timeZone: string;
  readonly retention?: RetentionPolicy;
  /** Backups and restores at once; absent: the installation's limit for a project. */
  readonly maxConcurrentOperations?: number;
}

/**
 * How many of its backups are kept, grandfather-father-son: of each period the newest one, of so many periods. One
 * that any rule keeps is kept.
 */
export interface RetentionPolicy {
  /** The newest so many. */
  readonly last?: number;
  /** All of so many days back. */
  readonly withinDays?: number;
  readonly hourly?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
}

/** A project as it is asked for: what is not said has its default. */
export type ProjectWish = Partial<Project> & Pick<Project, "projectId">;

const defaultTimeZone = "UTC";

/** With the defaults filled in. Pure. */
export function toProject(wish: ProjectWish): Project {
  return { ...wish, timeZone: wish.timeZone ?? defaultTimeZone };
}
