/** Checks of what is typed on the command line. */
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';

/** For commander: the address in lower case, or a usage error. */
export function emailArgument(value: string): string {
  const result = z.email().safeParse(value.trim());
  if (!result.success)
    throw new InvalidArgumentError('It must be an e-mail address such as ops@example.com.');
  return result.data.toLowerCase();
}

/** For commander: a whole number between two bounds, or a usage error. */
export function integerArgument(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!Number.isInteger(number) || number < least || number > most) {
      throw new InvalidArgumentError(`It must be a whole number between ${least} and ${most}.`);
    }
    return number;
  };
}
