/**
 * Influence Planner, Partner API v1, as far as the product needs it. The vendor documents no way to read or cancel a
 * schedule, no result per target and no idempotency key; what became of a schedule is seen by evidence or a webhook.
 */

/** The vendor's states of a member account; `UNKNOWN` stands for one this client does not know yet. */
export type InfluencePlannerMemberStatus =
  | 'LINKED'
  | 'INVALID'
  | 'PENDING'
  | 'PENDING_APPROVAL'
  | 'UNLINKED'
  | 'DECLINED'
  | 'UNKNOWN';

export interface InfluencePlannerMember {
  membershipId: string;
  status: InfluencePlannerMemberStatus;
  /** `SOUNDCLOUD-USER-<n>`: what a schedule names as its target. */
  userId: string;
  /** `soundcloud:users:<n>`; null for an account of another platform. */
  soundcloudUrn: string | null;
  name: string;
  imageUrl: string | null;
  profileUrl: string | null;
  followers: number | null;
  /** Epoch ms. */
  updatedAt: number;
}

export interface InfluencePlannerMemberQuery {
  /** Rows to leave out (default 0). */
  offset?: number;
  /** Rows of a page, 1 … 25 (default 25). */
  limit?: number;
  /** Part of a name. */
  searchTerm?: string;
  sortBy?: 'STATUS' | 'FOLLOWERS' | 'CREATED' | 'UPDATED';
  sortDir?: 'ASC' | 'DESC';
}

export interface InfluencePlannerMemberPage {
  members: InfluencePlannerMember[];
  totalElements: number;
  totalPages: number;
  /** Offset of the next page; null at the end. */
  nextOffset: number | null;
}

export interface InfluencePlannerScheduleRequest {
  types: ('REPOST' | 'UNREPOST' | 'LIKE' | 'COMMENT')[];
  /** Public URLs. One media a call makes one schedule with one calendar URL. */
  mediaUrls: string[];
  /** `SOUNDCLOUD-USER-<n>` */
  targetUserIds: string[];
  /** Business instant, epoch ms; absent: the vendor picks a time. */
  date?: number;
  unrepostAfterHours?: number;
  spreadBetweenAccountsMinutes?: number;
  spreadBetweenTracksMinutes?: number;
  /** At most three targets then. */
  comment?: string;
  /** Default true: the same media for the same target twice is once. */
  removeDuplicates?: boolean;
  /** Default false. */
  shuffle?: boolean;
}

export interface CreatedInfluencePlannerSchedule {
  mediaUrl: string;
  calendarUrl: string;
  /** Last segment of the calendar URL's path: `ip_schedule_id`. */
  scheduleId: string;
}

export interface InfluencePlannerPort {
  /** False without credentials: schedules then become tasks for the supporters. */
  readonly configured: boolean;
  /**
   * One page of the network. To hear of changes only, ask by UPDATED, DESC, until the last known `updatedAt`.
   * @throws ProviderError, RequestNotYetAllowed.
   */
  members(query?: InfluencePlannerMemberQuery, signal?: AbortSignal): Promise<InfluencePlannerMemberPage>;
  /**
   * Creates one schedule for each media, in their order.
   * @throws RequestNotYetAllowed, and ProviderError `unavailable` or `rate_limited`: certainly not created, may be sent
   *   again.
   * @throws ProviderError `rejected`, `unauthorized` or `not_found`: refused; sending it again will not help.
   * @throws ProviderError `outcome_unknown`: it may have been created (5xx, timeout, a lost connection, a success that
   *   cannot be read). Never send it again: look for its effect.
   */
  createSchedule(
    request: InfluencePlannerScheduleRequest,
    signal?: AbortSignal,
  ): Promise<CreatedInfluencePlannerSchedule[]>;
  probe(): Promise<{ ok: boolean; detail: string }>;
}
