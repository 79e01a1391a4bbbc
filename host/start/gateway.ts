/** What the launcher knows of one gateway: its last status, its course, its rates. */
import type { AgentStatus, TaskStatus } from '../src/status.ts';
import { type Course, createCourse } from './course.ts';

/** One gateway of the demonstration, as its status lines tell. */
export interface GatewayView {
  readonly id: string;
  status: AgentStatus | null;
  readonly courses: Map<string, Course>;
  /** Over the last status interval. */
  messages_per_s: number;
  predictions_per_s: number;
}

export function createGatewayView(id: string): GatewayView {
  return { id, status: null, courses: new Map(), messages_per_s: 0, predictions_per_s: 0 };
}

/** Takes a status that came `at_s` seconds after the start. */
export function noteStatus(view: GatewayView, status: AgentStatus, at_s: number): void {
  const before = view.status;
  const seconds = before === null ? 0 : (status.at - before.at) / 1000;
  if (status.event === 'status' && before !== null && seconds > 0 && status.messages >= before.messages) {
    view.messages_per_s = (status.messages - before.messages) / seconds;
    view.predictions_per_s = Math.max(0, predictionsOf(status.tasks) - predictionsOf(before.tasks)) / seconds;
  }
  view.status = status;
  for (const task of status.tasks) {
    let course = view.courses.get(task.name);
    if (course === undefined) {
      course = createCourse();
      view.courses.set(task.name, course);
    }
    course.note(at_s, task);
  }
}

function predictionsOf(tasks: readonly TaskStatus[]): number {
  return tasks.reduce((sum, task) => sum + task.predictions, 0);
}
