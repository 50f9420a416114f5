/** Which genres a member stands for; the target builder matches tracks with them. */
import { z } from 'zod';
import { listSubgenres } from '../db/genre-catalogue.js';
import { genresOfMember, type MemberGenreRow, replaceMemberGenres } from '../db/member-genres.js';
import { audit } from './audit.js';
import { requireMember } from './members.js';
import { Problem } from './problems.js';
import { defineRoute } from './route.js';
import { id, idParam, iso, timestamp } from './schemas.js';
import type { Scope } from './scope.js';

const memberGenreSchema = z
  .object({
    genre_family_id: z.uuid(),
    subgenre_id: z.uuid().nullable().describe('Null = the whole family.'),
    assigned_by: z.uuid().nullable(),
    assigned_at: timestamp,
  })
  .meta({ id: 'MemberGenre' });

const listSchema = z.object({ data: z.array(memberGenreSchema) });
const params = z.object({ member_id: idParam('member') });
const path = '/v1/members/{member_id}/genres';

function genreJson(row: MemberGenreRow): z.infer<typeof memberGenreSchema> {
  const { genre_family_id, subgenre_id, assigned_by } = row;
  return { genre_family_id, subgenre_id, assigned_by, assigned_at: iso(row.assigned_at) };
}

async function genresJson(scope: Scope, memberId: string) {
  return (await genresOfMember(scope.trx, scope.orgId, memberId)).map(genreJson);
}

const listRoute = defineRoute({
  method: 'get',
  path,
  access: 'anyone',
  scope: 'members:read',
  operationId: 'listMemberGenres',
  tag: 'members',
  summary: "A member's genres",
  params,
  answers: { 200: { description: 'Oldest first.', schema: listSchema } },
  problems: ['not_found'],
  handle: async ({ scope, params: { member_id } }) => {
    await requireMember(scope.trx, scope.orgId, member_id);
    return { body: { data: await genresJson(scope, member_id) } };
  },
});

const replaceRoute = defineRoute({
  method: 'put',
  path,
  access: 'ops',
  scope: null,
  operationId: 'replaceMemberGenres',
  tag: 'members',
  summary: "Set a member's genres",
  params,
  body: z.strictObject({
    genres: z
      .array(z.strictObject({ genre_family_id: id, subgenre_id: id.nullable().default(null) }))
      .max(50),
  }),
  answers: { 200: { description: 'The genres as they are now.', schema: listSchema } },
  problems: ['not_found', 'unknown_reference', 'rule_violated'],
  handle: async (context) => {
    const { scope, body } = context;
    const memberId = context.params.member_id;
    await requireMember(scope.trx, scope.orgId, memberId);
    const familyOf = new Map(
      (await listSubgenres(scope.trx, scope.orgId, {})).map((row) => [row.id, row.family_id]),
    );
    const seen = new Set<string>();
    const wanted = body.genres.map(({ genre_family_id, subgenre_id }) => {
      if (subgenre_id !== null && familyOf.get(subgenre_id) !== genre_family_id) {
        throw new Problem('unknown_reference', {
          detail: 'A subgenre must belong to the family it is named with.',
        });
      }
      const key = `${genre_family_id}/${subgenre_id ?? ''}`;
      if (seen.has(key)) throw new Problem('rule_violated', { detail: 'A genre is named twice.' });
      seen.add(key);
      return { familyId: genre_family_id, subgenreId: subgenre_id };
    });
    const before = await genresJson(scope, memberId);
    const assignedBy = scope.caller.kind === 'person' ? scope.caller.userId : null;
    await replaceMemberGenres(scope.trx, { orgId: scope.orgId, memberId, assignedBy }, wanted);
    const after = await genresJson(scope, memberId);
    const entry = { action: 'member.genres', entityType: 'member', entityId: memberId, before, after };
    await audit(context, scope, entry);
    return { body: { data: after } };
  },
});

export const memberGenreRoutes = [listRoute, replaceRoute];
