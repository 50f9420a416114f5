/** The network as Influence Planner sees it: accounts, their states over time. Times are business epoch ms. */
import { join } from 'node:path';
import { z } from 'zod';
import { type Journal, openJournal } from '../journal.js';
import { userUrn } from '../soundcloud/resources.js';

const status = z.enum(['LINKED', 'INVALID', 'PENDING', 'PENDING_APPROVAL', 'UNLINKED', 'DECLINED']);
const handle = z.string().regex(/^[a-z0-9][a-z0-9_-]*$/, 'lower-case letters, digits, - and _');

export const memberInput = z.object({
  /** SoundCloud handle. */
  handle,
  name: z.string().min(1).optional(),
  status: status.default('LINKED'),
});
export const statusChange = z.object({ status });
export type MemberInput = z.input<typeof memberInput>;
export type MemberStatus = z.output<typeof status>;

export const memberQuery = z.object({
  offset: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(25).default(25),
  searchTerm: z.string().default(''),
  sortBy: z.enum(['STATUS', 'FOLLOWERS', 'CREATED', 'UPDATED']).default('CREATED'),
  sortDir: z.enum(['ASC', 'DESC']).default('ASC'),
});
export type MemberQuery = z.output<typeof memberQuery>;

const entry = z.union([
  z.object({ joined: z.object({ handle, name: z.string(), at: z.number() }) }),
  z.object({ changed: z.object({ handle, status, at: z.number() }) }),
]);

interface Member {
  handle: string;
  name: string;
  userId: string;
  membershipId: string;
  joinedAt: number;
  /** Oldest first. */
  history: { status: MemberStatus; at: number }[];
}

/** A member at an instant. */
export interface MemberView {
  handle: string;
  name: string;
  userId: string;
  membershipId: string;
  status: MemberStatus;
  createdAt: number;
  updatedAt: number;
}

export class MemberStore {
  readonly #journal: Journal<z.output<typeof entry>>;
  readonly #members = new Map<string, Member>();
  readonly #byUserId = new Map<string, Member>();

  constructor(dataDir: string) {
    this.#journal = openJournal(join(dataDir, 'members.jsonl'), entry);
    for (const record of this.#journal.records) this.#apply(record);
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** Puts a member in, or changes the state of one who is there. */
  put(input: z.output<typeof memberInput>, at: number): Member {
    if (!this.#members.has(input.handle))
      this.#write({ joined: { handle: input.handle, name: input.name ?? input.handle, at } });
    return this.setStatus(input.handle, input.status, at) as Member;
  }

  /** @returns undefined when there is no such member. */
  setStatus(name: string, next: MemberStatus, at: number): Member | undefined {
    const member = this.#members.get(name);
    if (member && member.history.at(-1)?.status !== next)
      this.#write({ changed: { handle: name, status: next, at } });
    return member;
  }

  byUserId(userId: string, now: number): MemberView | undefined {
    const member = this.#byUserId.get(userId);
    return member && viewAt(member, now);
  }

  /** Everybody of an instant that the query asks for, in its order; not cut into pages. */
  list(query: MemberQuery, now: number, followersOf: (handle: string) => number): MemberView[] {
    const term = query.searchTerm.toLowerCase();
    const views = [...this.#members.values()]
      .map((member) => viewAt(member, now))
      .filter((view) => view !== undefined)
      .filter((view) => view.name.toLowerCase().includes(term) || view.handle.includes(term));
    const rank = {
      STATUS: (view: MemberView) => status.options.indexOf(view.status),
      FOLLOWERS: (view: MemberView) => followersOf(view.handle),
      CREATED: (view: MemberView) => view.createdAt,
      UPDATED: (view: MemberView) => view.updatedAt,
    }[query.sortBy];
    const direction = query.sortDir === 'ASC' ? 1 : -1;
    // Sorting keeps the order of joining among equals.
    return views.sort((a, b) => direction * (rank(a) - rank(b)));
  }

  close(): void {
    this.#journal.close();
  }

  #write(record: z.output<typeof entry>): void {
    this.#journal.append(record);
    this.#apply(record);
  }

  #apply(record: z.output<typeof entry>): void {
    if ('changed' in record) {
      const { handle: name, ...change } = record.changed;
      this.#members.get(name)?.history.push(change);
      return;
    }
    const { handle: name, at } = record.joined;
    const number = userUrn(name).replace(/^.*:/, '');
    const member = {
      handle: name,
      name: record.joined.name,
      userId: `SOUNDCLOUD-USER-${number}`,
      membershipId: `mbr_${number}`,
      joinedAt: at,
      history: [],
    };
    this.#members.set(name, member);
    this.#byUserId.set(member.userId, member);
  }
}

function viewAt(member: Member, now: number): MemberView | undefined {
  const state = member.history.findLast((change) => change.at <= now);
  if (!state) return undefined;
  const { handle: name, userId, membershipId, joinedAt } = member;
  return {
    handle: name,
    name: member.name,
    userId,
    membershipId,
    status: state.status,
    createdAt: joinedAt,
    updatedAt: state.at,
  };
}
