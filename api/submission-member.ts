/** For which member somebody submits. */
import { listMembers, MEMBER_ORDERS } from '../db/members.js';
import { Problem } from './problems.js';
import type { Scope } from './scope.js';

export function unknownMember(cause?: unknown): Problem {
  const detail = 'There is no member with that member_id that you may submit for.';
  return new Problem('unknown_reference', { detail, cause });
}

/** The member to submit for: the one named, or the one the caller is. */
export async function chooseMember(scope: Scope, named: string | undefined): Promise<string> {
  if (named === undefined && scope.ops) {
    throw new Problem('no_member', { detail: 'Name with `member_id` the member who submits.' });
  }
  // A key that submits need not be allowed to read members; the database refuses a member of nowhere.
  if (named !== undefined && scope.caller.kind === 'key') return named;
  // Row-level security shows ops everybody and a member only the own row.
  const page = { order: MEMBER_ORDERS['-created_at'], after: undefined, limit: 2 };
  const visible = await listMembers(scope.trx, scope.orgId, { id: named }, page);
  const [member, ...others] = visible;
  if (member === undefined) {
    throw named === undefined ? new Problem('no_member') : unknownMember();
  }
  if (others.length > 0) {
    throw new Problem('no_member', { detail: 'You are several members: name one with `member_id`.' });
  }
  return member.id;
}
