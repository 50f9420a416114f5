/** Posts to the org's Slack channel, where it has one. */
import { cancellationSignal } from '@temporalio/activity';
import { type Db, withOrg } from '../db/client.js';
import { slackSettings } from '../db/settings.js';
import { ProviderError } from '../providers/errors.js';
import type { SlackPort } from '../providers/slack/port.js';
import { providerFailure } from './failures.js';

export function createSlackActivities({ db, slack }: { db: Db; slack: SlackPort }) {
  return {
    /** @param about what it concerns: "Artist – Title". */
    async postToSlack(input: {
      orgId: string;
      about: string;
      title: string;
      message: string;
    }): Promise<void> {
      const settings = await withOrg(db, input.orgId, (trx) => slackSettings(trx, input.orgId));
      if (settings === null) return;
      try {
        await slack.post(
          { ...settings, text: `*${input.title}*\n${input.about}\n${input.message}` },
          cancellationSignal(),
        );
      } catch (error) {
        throw error instanceof ProviderError ? providerFailure(error) : error;
      }
    },
  };
}
