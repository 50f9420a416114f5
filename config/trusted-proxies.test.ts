import express from 'express';
import { describe, expect, it } from 'vitest';
import { readConfig } from './config.js';

describe('TRUSTED_PROXIES', () => {
  it.each([
    [undefined, 0],
    ['', 0],
    ['2', 2],
    ['10.0.0.0/8', ['10.0.0.0/8']],
    [' 10.1.2.3 , fd00::/8,::1/128', ['10.1.2.3', 'fd00::/8', '::1/128']],
  ])('%j is %j, which Express takes', (given, wanted) => {
    const config = readConfig({ TRUSTED_PROXIES: given });
    expect(config.TRUSTED_PROXIES).toEqual(wanted);
    expect(() => express().set('trust proxy', config.TRUSTED_PROXIES)).not.toThrow();
  });

  it.each([
    'true',
    '-1',
    '17',
    '1.5',
    'proxy.internal',
    '10.0.0.0/0',
    '10.0.0.0/33',
    '::1/129',
    '::1/8/8',
    '10.0.0.1,2',
  ])('refuses %s by the name of the variable', (given) => {
    expect(() => readConfig({ TRUSTED_PROXIES: given })).toThrow(/TRUSTED_PROXIES: must be the number/);
  });
});
