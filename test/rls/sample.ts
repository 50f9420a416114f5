/** How the samples are described: one row per table, org and owner, and copies of it to insert and delete. */
import { fixedId, memberId, type OrgKey, type Owner, orgId, type Person, userId } from './world.js';

/** A row as JSON, with column names of the database. */
export type Row = Record<string, unknown>;

export interface SampleOf {
  org: OrgKey;
  owner: Owner;
  /** '' = the row that is seeded; any other text = a further row beside it. */
  copy: string;
  /** Who inserts, for columns that must name the one who acts. Nobody while seeding. */
  actor?: Person | undefined;
}

export interface TableSample {
  /**
   * Whose rows are seeded in `here`. Tables whose rows belong to nobody have one, of `nobody`.
   */
  owners?: readonly Owner[];
  /** Whose rows are seeded in `there`, when those of `nobody` are not enough. */
  ownersThere?: readonly Owner[];
  row(of: SampleOf): Row;
  /** SQL of SET, where the product writes particular values only. Default: a writable column set to itself. */
  set?: (actor: Person | undefined) => string;
}

/** Rows of members. */
export const OWNED: readonly Owner[] = ['member', 'both', 'nobody'];
/** Rows that others in `there` need a second of. */
export const TWO_THERE: readonly Owner[] = ['nobody', 'member'];
/** Rows of logins. */
export const OWNED_BY_LOGINS: readonly Owner[] = ['member', 'both', 'moderator', 'nobody'];

/** Id of the seeded (or copied) row of a table. */
export function rowId(table: string, of: SampleOf): string {
  return fixedId(table, of.org, of.owner, of.copy);
}

/** Id of the seeded row of another table with the same owner. */
export function idOf(table: string, of: SampleOf): string {
  return fixedId(table, of.org, of.owner, '');
}

/** Id of the seeded row of a table whose rows belong to nobody. */
export function commonId(table: string, of: SampleOf): string {
  return fixedId(table, of.org, 'nobody', '');
}

export function base(table: string, of: SampleOf): Row {
  return { id: rowId(table, of), org_id: orgId(of.org) };
}

export function withMember(table: string, of: SampleOf): Row {
  return { ...base(table, of), member_id: memberId(of.org, of.owner) };
}

/** The acting person's id, as `created_by` and the like demand. */
export function actorId(of: SampleOf): string | null {
  return of.actor === undefined ? null : userId(of.actor);
}

/** The login a row is for; `nobody`'s is that of an admin of the org. */
export function loginOf(of: SampleOf): Person {
  if (of.org === 'there') return 'foreign';
  return of.owner === 'nobody' ? 'admin' : of.owner;
}

/** Unlike for every row: names and addresses that must be unique in their org. */
export function word(of: SampleOf): string {
  return `${of.org}-${of.owner}${of.copy && `-${of.copy}`}`;
}
