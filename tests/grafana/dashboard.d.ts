// Grafana's published type of a dashboard, as it is written in JSON: enums are their strings.
import type { Dashboard } from "@grafana/schema";

type Json<T> = T extends string
  ? `${T}`
  : T extends (infer Item)[]
    ? Json<Item>[]
    : T extends object
      ? { [Key in keyof T]: Json<T[Key]> }
      : T;

export type DashboardJson = Json<Dashboard>;
