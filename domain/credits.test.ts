import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  earningOf,
  expectedReach,
  feeOf,
  grantAmount,
  grantKey,
  headroom,
  intoWallet,
  priceOf,
  reachOf,
  targetReachOf,
} from './credits.js';

/** A factor of three decimals, as its thousandths. */
const thousandths = fc.integer({ min: 0, max: 9_999 });

describe('reachOf', () => {
  it.each([
    [10_000, 0.06, 600],
    [16, 0.06, 0],
    [17, 0.06, 1],
    [100, 0.29, 29],
    [1_000, 0.001, 1],
    [999, 0.001, 0],
    [-5, 0.06, 0],
  ])('%d followers at %f reach %d', (followers, factor, reach) => {
    expect(reachOf(followers, factor)).toBe(reach);
  });

  it('is the exact floor of followers × factor', () => {
    fc.assert(
      fc.property(fc.nat(2_000_000_000), thousandths, (followers, factor) => {
        const exact = (BigInt(followers) * BigInt(factor)) / 1_000n;
        expect(BigInt(reachOf(followers, factor / 1_000))).toBe(exact);
      }),
    );
  });
});

describe('priceOf', () => {
  it.each([
    [0, 3, 1],
    [1, 3, 1],
    [600, 3, 1],
    [601, 3, 2],
    [6_000, 60, 10],
    [6_000, 3, 3],
    [600_000, 60, 60],
    [6_000, 0, 1],
  ])('a reach of %d under a cap of %d costs %d', (reach, cap, price) => {
    expect(priceOf(reach, 600, cap)).toBe(price);
  });

  it('lies between 1 and the cap, covers the reach unless the cap binds, and never falls with the reach', () => {
    const args = [
      fc.nat(10_000_000),
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer({ min: 1, max: 100 }),
    ] as const;
    fc.assert(
      fc.property(...args, fc.nat(1_000), (reach, perCredit, cap, more) => {
        const price = priceOf(reach, perCredit, cap);
        expect(Number.isInteger(price) && price >= 1 && price <= cap).toBe(true);
        expect(price === cap || price * perCredit >= reach).toBe(true);
        expect(price === 1 || (price - 1) * perCredit < reach).toBe(true);
        expect(priceOf(reach + more, perCredit, cap)).toBeGreaterThanOrEqual(price);
      }),
    );
  });
});

describe('what comes in', () => {
  const wallet = fc.record({ balance: fc.nat(100), held: fc.nat(100), cap: fc.nat(150) });

  it('fills the headroom and forfeits the rest', () => {
    expect(headroom({ balance: 2, held: 3, cap: 6 })).toBe(1);
    expect(grantAmount(3, { balance: 2, held: 3, cap: 6 })).toEqual({ credited: 1, forfeited: 2 });
    expect(grantAmount(3, { balance: 9, held: 3, cap: 6 })).toEqual({ credited: 0, forfeited: 3 });
    expect(grantAmount(2, { balance: 0, held: 0, cap: 20 })).toEqual({ credited: 2, forfeited: 0 });
  });

  it('loses nothing unrecorded, and leaves room for every release', () => {
    fc.assert(
      fc.property(wallet, fc.nat(100), (before, amount) => {
        const { credited, forfeited } = intoWallet(amount, before);
        expect(credited + forfeited).toBe(amount);
        expect(Math.min(credited, forfeited)).toBeGreaterThanOrEqual(0);
        if (before.balance + before.held <= before.cap) {
          expect(before.balance + credited + before.held).toBeLessThanOrEqual(before.cap);
          // Nothing is forfeited while there is room.
          expect(forfeited === 0 || before.balance + credited + before.held === before.cap).toBe(true);
        } else expect(credited).toBe(0);
      }),
    );
  });
});

describe('fees', () => {
  it.each([
    [10, 0, 0],
    [10, 10, 1],
    [9, 10, 0],
    [100, 29, 29],
    [60, 12.5, 7],
    [7, 100, 7],
    [10_000, 0.57, 57],
  ])('of %d credits at %f percent are %d', (price, percent, fee) => {
    expect(feeOf(price, percent)).toBe(fee);
    expect(earningOf(price, percent)).toBe(price - fee);
  });

  it.each([
    [1, 0.01, 0],
    [1, 50, 0],
    [1, 99.99, 0],
    [1, 100, 1],
    [2, 49.99, 0],
    [2, 50, 1],
    [3, 33.33, 0],
    [3, 33.34, 1],
    [3, 66.66, 1],
    [19, 10, 1],
  ])('are rounded down: of a price of %d at %f percent they are %d', (price, percent, fee) => {
    expect(feeOf(price, percent)).toBe(fee);
    expect(earningOf(price, percent)).toBe(price - fee);
  });

  it('take their first credit of a price of 100 / percent, and leave the supporter one below 100 %', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9_999 }),
        fc.integer({ min: 1, max: 60 }),
        (hundredths, price) => {
          expect(feeOf(price, hundredths / 100) > 0).toBe(price * hundredths >= 10_000);
          expect(earningOf(price, hundredths / 100)).toBeGreaterThanOrEqual(1);
        },
      ),
    );
  });

  it('are the exact floor and never above the price', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(10_000), (price, hundredths) => {
        const fee = feeOf(price, hundredths / 100);
        expect(BigInt(fee)).toBe((BigInt(price) * BigInt(hundredths)) / 10_000n);
        expect(earningOf(price, hundredths / 100)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

it('aims at what the balance buys', () => {
  expect(targetReachOf(3, 600)).toBe(1_800);
  expect(targetReachOf(-1, 600)).toBe(0);
});

it('expects 70 to 130 percent of the planned reach, in whole reach', () => {
  expect(expectedReach(1_001, 70, 130)).toEqual({
    expected_reach_min: 700,
    expected_reach_planned: 1_001,
    expected_reach_max: 1_302,
  });
});

it('names a grant by member and month', () => {
  expect(grantKey('m-1', '2026-03')).toBe('grant:m-1:2026-03');
});
