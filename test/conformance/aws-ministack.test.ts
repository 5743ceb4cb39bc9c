/** The conformance kit over the AWS types on MiniStack. */
import { conformance } from '../conformance.ts';
import { miniStack } from '../parts/emulators.ts';
import { awsSubjects } from './aws-subjects.ts';

const { endpoint } = await miniStack();
for (const subject of awsSubjects({ name: 'ministack', endpoint }, ['aws/dynamodb-table'])) conformance(subject);
