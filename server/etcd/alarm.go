// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// alarms returns an error for every alarm that is raised.
func (s *Server) alarms() error {
	for _, alarm := range s.etcd.Server.Alarms() {
		switch alarm.GetAlarm() {
		case etcdserverpb.AlarmType_NOSPACE:
			return fmt.Errorf("%w: the database in %s reached its quota of %d bytes; it can be read, and objects can be "+
				"deleted; restart the server to defragment it, and if it stays full, with a larger --quota-backend-bytes",
				ErrDiskFull, s.dir, s.quota)
		case etcdserverpb.AlarmType_CORRUPT:
			return fmt.Errorf("%w: %s; %s", ErrCorrupt, s.dir, wayOut)
		case etcdserverpb.AlarmType_NONE:
		}
	}
	return nil
}

// makeRoom makes a database that reached its quota ready for writes again, if it can. etcd stores with the data that it
// was full, and refuses writes from then on whatever its size and quota. Nothing else would end that: the API server
// cannot compact while it lasts, because it notes each compaction with a write.
//
// A database that is still full is no error: it can be read.
func (s *Server) makeRoom(ctx context.Context) error {
	isFull := func(alarm *etcdserverpb.AlarmMember) bool { return alarm.GetAlarm() == etcdserverpb.AlarmType_NOSPACE }
	alarms := slices.DeleteFunc(s.etcd.Server.Alarms(), func(alarm *etcdserverpb.AlarmMember) bool { return !isFull(alarm) })
	if len(alarms) == 0 {
		return nil
	}
	return s.attempt(ctx, "defragment full database", func() error {
		backend := s.etcd.Server.Backend()
		before := backend.Size()
		if err := backend.Defrag(); err != nil {
			// There may be no room for the copy. With a larger quota it is not needed.
			s.logger.Error(err, "Did not defragment the full database", "dir", s.dir)
		}
		size := backend.Size()
		if size >= s.quota {
			s.logger.Info("Database is full: it can be read but not written; raise --quota-backend-bytes", "dir", s.dir,
				"bytes", size, "quota", s.quota)
			return nil
		}
		for _, alarm := range alarms {
			_, err := s.etcd.Server.Alarm(ctx, &etcdserverpb.AlarmRequest{
				Action: etcdserverpb.AlarmRequest_DEACTIVATE, Alarm: alarm.GetAlarm(), MemberID: alarm.GetMemberID(),
			})
			if err != nil {
				return fmt.Errorf("end the alarm about a full database in %s: %w", s.dir, err)
			}
		}
		s.logger.Info("Database was full and takes writes again", "dir", s.dir, "bytesBefore", before, "bytes", size,
			"quota", s.quota)
		return nil
	})
}
