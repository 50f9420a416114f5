/** Promises about the month's end: grants, tiers, connections, and what the doctor says at the end. */
import { DEFAULT_DEMOTE_AFTER_SYNCS } from '../../domain/tiers.js';
import type { DemoFacts } from './facts.js';
import { MONTH_END } from './plan.js';
import { judged, type PromiseResult, some } from './promise-result.js';

export function grantedOnce({ members, grants, month }: DemoFacts): PromiseResult {
  const all = members.flatMap((member) => member.newGrants);
  const credits = all.reduce((sum, grant) => sum + grant.credits, 0);
  return judged(
    'On the first of the month every member is granted once, by tier and never above the cap',
    {
      expected: `${members.length} grants for ${month}`,
      seen: `${some(all.length, 'grant')}, ${some(credits, 'credit')}`,
    },
    [
      members.length === 0 && 'There are no members.',
      ...members.flatMap((member) => {
        const [grant] = member.newGrants;
        const due = grants[member.tierAtGrant] ?? 0;
        return [
          member.newGrants.length !== 1 && `${member.handle} was granted ${member.newGrants.length} times.`,
          grant !== undefined &&
            grant.credits + grant.forfeited !== due &&
            `${member.handle} (${member.tierAtGrant}) was granted ${grant.credits} and forfeited ${grant.forfeited}, not ${due} in all.`,
        ];
      }),
    ],
  );
}

export function tiersMoved({ moves, memberMails }: DemoFacts): PromiseResult {
  const wanted = [
    { handle: MONTH_END.promoted.handle, type: 'member.promoted', sweeps: 1 },
    { handle: MONTH_END.demoted.handle, type: 'member.demoted', sweeps: DEFAULT_DEMOTE_AFTER_SYNCS },
  ];
  const tiers = moves.filter(({ type }) => type === 'member.promoted' || type === 'member.demoted');
  const mails = memberMails.filter(({ template }) => template === 'tier_promotion');
  const words = (move: { handle: string; type: string; sweeps: number }) =>
    `${move.handle} ${move.type.replace('member.', '')} after ${some(move.sweeps, 'sweep')}`;
  return judged(
    'A tier rises with the first sweep above its border, with a mail, and falls with the third below it',
    { expected: wanted.map(words).join(', '), seen: tiers.map(words).join(', ') || 'none' },
    [
      ...wanted.map(
        (move) =>
          !tiers.some((seen) => words(seen) === words(move)) && `${words(move)} was to be seen, and was not.`,
      ),
      tiers.length !== wanted.length && `${tiers.length} tiers changed.`,
      (mails.length !== 1 || mails[0]?.handle !== MONTH_END.promoted.handle || mails[0].arrived !== 1) &&
        `${mails.length} mails of a promotion; one was due, to ${MONTH_END.promoted.handle}.`,
    ],
  );
}

export function cameBack({ moves, memberMails, unhealthyAccounts }: DemoFacts): PromiseResult {
  const { handle } = MONTH_END.disconnected;
  const types = ['member.disconnected', 'member.reconnected'];
  const seen = moves.filter(({ type }) => types.includes(type));
  const prompts = memberMails.filter(({ template }) => template === 'reconnect_prompt');
  const words = (list: readonly { handle: string; type: string }[]) =>
    list.map((move) => `${move.handle} ${move.type.replace('member.', '')}`).join(', ') || 'none';
  const wanted = types.map((type) => ({ handle, type }));
  return judged(
    'A disconnected account is noticed, its member asked once to reconnect, and it is back when linked again',
    { expected: `${words(wanted)}; 1 mail`, seen: `${words(seen)}; ${some(prompts.length, 'mail')}` },
    [
      words(seen) !== words(wanted) && 'The account did not go and come back as it was to.',
      (prompts.length !== 1 || prompts[0]?.handle !== handle || prompts[0].arrived !== 1) &&
        `${prompts.length} mails ask to reconnect; one was due, to ${handle}.`,
      ...unhealthyAccounts.map((account) => `The account of ${account} is not linked at the end.`),
    ],
  );
}

export function doctorAgrees({ doctor }: DemoFacts): PromiseResult {
  return judged(
    '`spark doctor` finds nothing: servers, migrations, ledger, outbox, schedules, automations, workflows',
    { expected: '0 findings', seen: some(doctor.length, 'finding') },
    doctor,
  );
}
