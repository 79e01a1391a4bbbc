import { expect, test } from 'vitest';
import { gatewayLink, routeOf, taskLink } from './route.ts';

test('a_link_to_a_gateway_or_task_leads_there_whatever_its_name_holds', () => {
  for (const name of ['plant-7', 'a/b c', '100 %', '#/x', 'größe']) {
    expect(routeOf(gatewayLink(name))).toEqual({ page: 'gateway', id: name });
    expect(routeOf(taskLink(name))).toEqual({ page: 'fleet', task: name });
  }
});

test('any_other_address_is_the_fleet', () => {
  for (const hash of ['', '#', '#/', '#/gateway/', '#/gateway/%', '#/nowhere/x']) {
    expect(routeOf(hash)).toEqual({ page: 'fleet', task: null });
  }
});
