import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildProposal, EXCLUSION_CODES, type ProposalInput, type TargetCandidate } from './targeting.js';
import { chosen, input, NOW, TRACK } from './targeting-fixtures.js';

const FAMILIES = ['Electronic', 'Hip-Hop', 'Rock'];
const SUBGENRES = ['House', 'Trap', null];
const instant = fc.option(
  fc.integer({ min: -3 * 24, max: 120 * 24 }).map((hours) => NOW - hours * 3_600_000),
  { nil: null },
);

/** Mostly fit candidates: every fact is good more often than not, so that choices are made at all. */
const mostly = <T>(good: fc.Arbitrary<T>, any: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 9, arbitrary: good }, { weight: 1, arbitrary: any });

const anyCandidate = fc.record({
  member_id: fc
    .integer({ min: 0, max: 60 })
    .map((n) => (n === 0 ? 'artist' : `m${String(n).padStart(2, '0')}`)),
  account_id: mostly<string | null>(fc.constant('account'), fc.constant(null)),
  handle: mostly<string | null>(
    fc.stringMatching(/^[a-z]{3}$/),
    fc.constantFrom('night-harbour', 'feared', null),
  ),
  followers: fc.oneof(fc.nat(2_000), fc.nat(30_000), fc.nat(900_000)),
  reach_factor: fc.option(
    fc.integer({ min: 0, max: 200 }).map((n) => n / 1_000),
    { nil: null },
  ),
  tier: fc.constantFrom('T1', 'T2', 'T3', 'T4'),
  credits_cap: fc.constantFrom(3, 6, 20, 60),
  status: mostly(fc.constant('active'), fc.constant('needs_reconnect')),
  account_status: mostly<string | null>(
    fc.constant('linked'),
    fc.constantFrom('reconnect', 'disconnected', 'error', null),
  ),
  last_activity_at: mostly<number | null>(fc.constant(NOW), instant),
  genres: mostly(
    fc.array(fc.record({ family: fc.constantFrom(...FAMILIES), subgenre: fc.constantFrom(...SUBGENRES) }), {
      minLength: 1,
      maxLength: 3,
    }),
    fc.constant([]),
  ),
  avoided_handles: mostly(fc.constant<string[]>([]), fc.constantFrom(['Night-Harbour'], ['other'])),
  last_same_track_at: mostly<number | null>(fc.constant(null), instant),
  last_same_artist_at: mostly<number | null>(fc.constant(null), instant),
  last_pair_at: mostly<number | null>(fc.constant(null), instant),
  assignments_on_date: mostly(fc.constant(0), fc.nat(3)),
  completed: fc.nat(20),
  failed: fc.nat(5),
  last_assignment_at: instant,
}) satisfies fc.Arbitrary<TargetCandidate>;

const anyInput: fc.Arbitrary<ProposalInput> = fc
  .record({
    candidates: fc.uniqueArray(anyCandidate, { selector: (c) => c.member_id, maxLength: 40 }),
    mode: fc.constantFrom('balance' as const, 'size' as const),
    max_targets: fc.integer({ min: 1, max: 20 }),
    adjacency: fc.constantFrom<Record<string, Record<string, number>>>(
      {},
      { Electronic: { 'Hip-Hop': 0.5 }, 'Hip-Hop': { Electronic: 0.5 } },
    ),
    budget: fc.option(fc.nat(40), { nil: null }),
    reach: fc.option(fc.nat(40_000), { nil: null }),
    avoided: fc.constantFrom<string[]>([], ['feared']),
    member: fc.constantFrom('artist', null),
  })
  .map(({ candidates, mode, max_targets, adjacency, budget, reach, avoided, member }) =>
    input(
      {
        candidates,
        budget,
        target_reach: reach,
        track: { ...TRACK, avoided_handles: avoided, member_id: member },
      },
      { target_band_mode: mode, max_targets, adjacency_matrix: adjacency },
    ),
  );

/** The exclusions of a candidate, written down a second time straight from rules.md and the test's own vocabulary. */
function excludedFor(c: TargetCandidate, { track, settings }: ProposalInput): Set<string> {
  const codes = new Set<string>();
  const days = (at: number) => (NOW - at) / 86_400_000;
  const within = (at: number | null, limit: number) => at !== null && days(at) < limit;
  if (c.member_id === track.member_id || c.handle === 'night-harbour') codes.add('self');
  if (c.status === 'needs_reconnect') codes.add('not_active');
  if (c.account_id === null || c.handle === null || c.account_status !== 'linked')
    codes.add('account_unhealthy');
  if (c.last_activity_at === null || days(c.last_activity_at) >= 90) codes.add('inactive');
  if (c.avoided_handles.includes('Night-Harbour')) codes.add('avoid_list');
  if (c.handle === 'feared' && track.avoided_handles.includes('feared')) codes.add('avoid_list');
  const close = settings.adjacency_matrix.Electronic !== undefined;
  const fits = c.genres.some((g) => g.family === 'Electronic' || (close && g.family === 'Hip-Hop'));
  if (!fits) codes.add('genre');
  if (within(c.last_same_track_at, 30)) codes.add('track_cooldown');
  if (within(c.last_same_artist_at, 7)) codes.add('artist_cooldown');
  if (within(c.last_pair_at, 7)) codes.add('pair_cooldown');
  if (c.assignments_on_date > 1) codes.add('daily_cap');
  return codes;
}

describe('for any input', () => {
  it('gives the same bytes again, in whatever order things come', () => {
    fc.assert(
      fc.property(
        anyInput.chain((given) =>
          fc.tuple(
            fc.constant(given),
            fc.shuffledSubarray(given.candidates, { minLength: given.candidates.length }),
          ),
        ),
        ([given, shuffled]) => {
          const turned = shuffled.map((c) => ({
            ...c,
            genres: [...c.genres].reverse(),
            avoided_handles: [...c.avoided_handles, ...c.avoided_handles].reverse(),
          }));
          const before = JSON.stringify(given);
          const first = JSON.stringify(buildProposal(given));
          expect(JSON.stringify(buildProposal({ ...given, candidates: turned }))).toBe(first);
          expect(JSON.stringify(given)).toBe(before);
        },
      ),
    );
  });

  it('excludes exactly who must be, names every reason, and accounts for everybody once', () => {
    fc.assert(
      fc.property(anyInput, (given) => {
        const proposal = buildProposal(given);
        const { not_chosen: spare } = proposal.criteria;
        for (const c of given.candidates) {
          const rules = excludedFor(c, given);
          const conflicts = proposal.conflicts.filter((x) => x.member_id === c.member_id);
          const codes = new Set<string>(conflicts.map((x) => x.code));
          expect(conflicts.length).toBe(codes.size);
          const places =
            Number(chosen(proposal).includes(c.member_id)) +
            Number(spare.some((x) => x.member_id === c.member_id)) +
            Number(codes.size > 0);
          expect(places).toBe(1);
          if (rules.size > 0) expect(codes).toEqual(rules);
          else expect([...codes].every((code) => code === 'budget')).toBe(true);
        }
        expect(spare.map((x) => x.member_id)).toEqual(spare.map((x) => x.member_id).sort());
        const { counts } = proposal.criteria;
        expect(counts.candidates).toBe(given.candidates.length);
        expect(counts.proposed).toBe(proposal.proposed_targets.length);
        const order = proposal.conflicts.map(
          (x) => `${x.member_id} ${String(EXCLUSION_CODES.indexOf(x.code)).padStart(2, '0')}`,
        );
        expect(order).toEqual([...order].sort());
      }),
      { numRuns: 300 },
    );
  });

  it('keeps to budget, number and target, and adds up', () => {
    fc.assert(
      fc.property(anyInput, (given) => {
        const {
          proposed_targets: targets,
          estimated_credits,
          total_capacity,
          criteria,
        } = buildProposal(given);
        const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
        expect(estimated_credits).toBe(sum(targets.map((t) => t.price)));
        expect(total_capacity).toBe(sum(targets.map((t) => t.reach)));
        expect(targets.length).toBeLessThanOrEqual(given.settings.max_targets);
        if (given.budget !== null) expect(estimated_credits).toBeLessThanOrEqual(given.budget);
        // Nobody is taken once the target is met.
        const before = total_capacity - (targets.at(-1)?.reach ?? 0);
        if (given.target_reach !== null && targets.length > 0)
          expect(before).toBeLessThan(given.target_reach);
        for (const target of targets) {
          const source = given.candidates.find((c) => c.member_id === target.member_id);
          const factor = source?.reach_factor ?? 0.06;
          expect(target.reach).toBe(Math.floor((target.followers * Math.round(factor * 1_000)) / 1_000));
          expect(target.price).toBe(
            Math.max(1, Math.min(Math.ceil(target.reach / 600), source?.credits_cap ?? 0)),
          );
          expect(target.score > 0 && target.score <= 1 && target.reach > 0).toBe(true);
        }
        // Nobody affordable is left out before the target or the largest number is reached.
        const left = (given.budget ?? Number.POSITIVE_INFINITY) - estimated_credits;
        const met = given.target_reach !== null && total_capacity >= given.target_reach;
        if (!met && targets.length < given.settings.max_targets) {
          expect(criteria.not_chosen.filter((n) => n.reason !== 'no_reach')).toEqual([]);
          expect(criteria.stopped_by === 'no_more_candidates' || criteria.stopped_by === 'budget').toBe(true);
          const tooExpensive = buildProposal(given).conflicts.filter((c) => c.code === 'budget');
          expect(tooExpensive.every((c) => Number(c.facts.price) > left)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('keeps the order of its mode', () => {
    fc.assert(
      fc.property(anyInput, (given) => {
        const targets = buildProposal(given).proposed_targets;
        targets.forEach((target, i) => {
          const next = targets
            .slice(i + 1)
            .find((t) => given.settings.target_band_mode === 'size' || t.tier === target.tier);
          if (next === undefined) return;
          const weight = (t: typeof target) =>
            t.score * (given.settings.target_band_mode === 'size' ? t.reach : 1);
          expect(weight(target)).toBeGreaterThanOrEqual(weight(next));
          if (weight(target) === weight(next)) expect(target.member_id < next.member_id).toBe(true);
        });
      }),
    );
  });

  it('balanced, a tier never gets two turns while another one waits', () => {
    fc.assert(
      fc.property(anyInput, (given) => {
        const free = {
          ...given,
          budget: null,
          settings: { ...given.settings, target_band_mode: 'balance' as const },
        };
        const targets = buildProposal(free).proposed_targets;
        const last = targets.at(-1);
        for (const tier of ['T4', 'T3', 'T2', 'T1']) {
          const mine = targets.filter((t) => t.tier === tier).length;
          const most = targets.filter((t) => t.tier === last?.tier).length;
          const spare = buildProposal(free).criteria.not_chosen.some(
            (n) => n.tier === tier && n.reason !== 'no_reach',
          );
          if (spare) expect(mine).toBeGreaterThanOrEqual(most - 1);
        }
      }),
    );
  });
});
