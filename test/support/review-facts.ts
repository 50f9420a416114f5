/** What a test reads to see how a review stands, and how it waits for it. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Submission, World } from './world.js';

/** Waits until `probe` gives a value that is neither undefined nor false. @throws Error after `limitMs`. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  limitMs = 30_000,
): Promise<T> {
  const until = Date.now() + limitMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > until) throw new Error(`Waited ${limitMs} ms in vain: ${what}.`);
    await pause(40);
  }
}

export function reviewFacts(world: World) {
  const { db, orgId } = world;
  return {
    row: (submission: Submission) =>
      db
        .selectFrom('soundcloud_submissions')
        .selectAll()
        .where('id', '=', submission.id)
        .executeTakeFirstOrThrow(),

    /** The review's own: the numbers of the same submission are waited for by another workflow. */
    wait: (submission: Submission) =>
      db
        .selectFrom('soundcloud_waits')
        .selectAll()
        .where('workflow_id', '=', submission.workflowId)
        .executeTakeFirst(),

    /** Types in the order they were written. */
    async events(submission: Submission): Promise<string[]> {
      const rows = await db
        .selectFrom('soundcloud_events')
        .select('type')
        .where('entity_id', '=', submission.id)
        .orderBy('seq')
        .execute();
      return rows.map((row) => row.type);
    },

    /** Templates in the order they were written, with their status. */
    async mails(submission: Submission): Promise<string[]> {
      const rows = await db
        .selectFrom('soundcloud_email_logs')
        .select(['template_name', 'status'])
        .where('related_object_id', '=', submission.id)
        .orderBy('created_at')
        .execute();
      return rows.map((row) => `${row.template_name} ${row.status}`);
    },

    /** Titles of one person's notifications about the submission, oldest first. */
    async notifications(submission: Submission, userId = world.adminId): Promise<string[]> {
      const rows = await db
        .selectFrom('soundcloud_notifications')
        .select(['title', 'metadata'])
        .where('org_id', '=', orgId)
        .where('user_id', '=', userId)
        .orderBy('created_at')
        .execute();
      return rows
        .filter((row) => (row.metadata as { submission_id?: string }).submission_id === submission.id)
        .map((row) => row.title);
    },

    proposals: (submission: Submission) =>
      db
        .selectFrom('soundcloud_target_proposals')
        .selectAll()
        .where('parent_id', '=', submission.id)
        .orderBy('created_at')
        .execute(),
  };
}
