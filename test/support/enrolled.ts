/** Gateways that are enrolled at a coordinator and have learned: where most tests of it begin. */
import { type FleetGateway, type FleetTask, learnRows, newFleet, postEnrolment } from './fleet.ts';

/** Enough for every task of them to be told of. */
const ROWS = 60;

/** Enrols gateways at `url`, each with rows of its tasks. */
export async function enrolled(url: string, gateways: readonly FleetGateway[], rows = ROWS): Promise<void> {
  for (const gateway of gateways) {
    await postEnrolment(url, gateway);
    for (const task of gateway.tasks) learnRows(gateway, task, rows);
  }
}

/** Two of one building, enrolled, with their tasks: one of numbers, one of classes. */
export async function twoEnrolled(url: string) {
  const [north, south] = newFleet() as [FleetGateway, FleetGateway];
  const [temperature, occupied] = north.tasks as [FleetTask, FleetTask];
  await enrolled(url, [north, south]);
  return { north, south, temperature, occupied };
}
