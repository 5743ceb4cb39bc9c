/** Which claims this process may work, and until when: as the one leader, or as one of several that share. */
import { type Leader, type LeaderOptions, leadsUntil, startLeader, stopLeader, takeLease } from './leader.ts';
import { isOurs, type Member, type MemberOptions, startMember, stopMember } from './members.ts';

export interface Tenure {
  /** By the clock's milliseconds; 0 when claims of the namespace are not ours. '' stands for what has no namespace. */
  readonly holdsUntil: (namespace: string) => number;
  /** Rises after every gap: work begun in an earlier term must not go on. */
  readonly term: () => number;
  /** Gives back what is held. Call it when all work has ended. Never throws. */
  readonly stop: () => Promise<void>;
}

/** One process works everything, the others wait. */
export function lead(options: LeaderOptions): Tenure {
  return tenureOfLeader(startLeader(options));
}

/** This process works everything, or nothing does: LeaseHeld when another is alive. */
export async function leadAlone(options: LeaderOptions): Promise<Tenure> {
  return tenureOfLeader(await takeLease(options));
}

function tenureOfLeader(leader: Leader): Tenure {
  return { holdsUntil: () => leadsUntil(leader), term: () => leader.hold.term, stop: () => stopLeader(leader) };
}

/** Every process works its share. */
export function share(options: MemberOptions): Tenure {
  const member: Member = startMember(options);
  return {
    holdsUntil: namespace => (isOurs(member, namespace) ? member.hold.untilMs : 0),
    term: () => member.hold.term,
    stop: () => stopMember(member),
  };
}
